"""A lean asyncio client of the Kubernetes API: configuration, credentials, calls, watches. It knows nothing of search.

Nothing is imported here: `quidditch.lib.kube.client` brings aiohttp along, which only who talks to Kubernetes shall pay for.
"""
