"""Amazon S3 and stores with its protocol, through s3fs."""
