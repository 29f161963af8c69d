"""What others are told of our messages holds: schemas, keys, headers, the AsyncAPI document."""
