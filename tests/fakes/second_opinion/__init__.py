"""Parts of Expo's clients and tools that run on this machine, asked what they make of something.

Each is somebody else's program, installed for the tests alone: npm packages that Expo's command
line reads manifests with, the ``bspatch`` of the clients built from its source, Java's own date
parser, and OkHttp where a local Maven repository happens to hold it. A test is skipped, with the
reason, where one of them cannot be had.
"""
