"""What happens to a batch of records before it is written: convert, transform, add columns, check, partition."""
