"""HTTP: health, status and metrics of a running sink or of followers, and Kafka Connect's REST API for reading.

`StatusApp` answers requests about a sink, and `FollowerApp` about followers of tables. Neither knows a server: `StatusServer`
serves an app from a thread; `make_asgi_app` and `make_wsgi_app` mount it in an application.
"""

from kafka2parquet.http.app import StatusApp
from kafka2parquet.http.asgi import make_asgi_app
from kafka2parquet.http.connect_rest import ConnectorDescription
from kafka2parquet.http.follower_app import FollowerApp
from kafka2parquet.http.metrics_page import MetricsRegistry
from kafka2parquet.http.responses import Response
from kafka2parquet.http.server import StatusServer
from kafka2parquet.http.wsgi import make_wsgi_app

__all__ = [
    "ConnectorDescription",
    "FollowerApp",
    "MetricsRegistry",
    "Response",
    "StatusApp",
    "StatusServer",
    "make_asgi_app",
    "make_wsgi_app",
]
