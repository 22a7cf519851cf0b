"""The decoders under millions of broken datagrams: `make fuzz`, and the small campaign among the tests."""
