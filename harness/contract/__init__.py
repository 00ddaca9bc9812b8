"""Contract with compressor plugins: classes, exact coding, artifacts, registry."""
