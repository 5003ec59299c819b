"""Checks of Kafka: the way to each broker, the topics and the consumer group.

A broker is asked over one plain connection, request by request. kafka-python's clients would try again and hide which step
failed.
"""
