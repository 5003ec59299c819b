"""Translates settings of Kafka's Java clients to settings of kafka-python.

`translation` holds what all clients share, `jaas` reads logins, and `consumer` and `producer` translate the rest.
"""
