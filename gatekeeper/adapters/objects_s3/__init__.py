"""Blobs in an S3 bucket, under their SHA-256: AWS and compatible servers, by boto3.

`store` is the port, `uploads` hashes and sends, `slices` reads, `client` speaks to the store and
tells what went wrong. Source: security.md 2.6, 6.1 F8 and F9; performance.md D and E.
"""

from gatekeeper.adapters.objects_s3.client import Bucket
from gatekeeper.adapters.objects_s3.store import S3Objects

__all__ = ["Bucket", "S3Objects"]
