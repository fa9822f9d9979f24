"""The lab: a workplace and a datacentre on loopback, and the shipped bot between them."""
