"""Composition: the command line, the service, the demo. The only place that imports everything."""
