"""Networks that run on other machines: a node with the manifests and no weights sends pictures and gets numbers.

Ray has its home here, in `models.remote.ray_client` (who asks) and `models.remote.ray_application` (who answers).
Everything else between them knows no Ray.
"""
