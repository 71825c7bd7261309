"""Make the bucket of the containers' own S3 server, and see that it takes an object.

A server that has just begun answers its health check before it can write (500); boto3 asks again.
"""

import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

bucket = os.environ["GATEKEEPER_STORE__S3__BUCKET"]
store = boto3.client(
    "s3",
    region_name=os.environ["GATEKEEPER_STORE__S3__REGION"],
    endpoint_url=os.environ["GATEKEEPER_STORE__S3__ENDPOINT_URL"],
    config=Config(
        s3={"addressing_style": os.environ["GATEKEEPER_STORE__S3__ADDRESSING"]},
        retries={"mode": "standard", "max_attempts": 10},
    ),
)
try:
    store.head_bucket(Bucket=bucket)
except ClientError as error:
    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
        raise
    store.create_bucket(Bucket=bucket)

store.put_object(Bucket=bucket, Key="is-ready", Body=b"")
store.delete_object(Bucket=bucket, Key="is-ready")
