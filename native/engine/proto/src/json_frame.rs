//! Splits a stream into JSON objects.
