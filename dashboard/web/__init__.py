"""The server: security, rate limits, compression, how it is started."""
