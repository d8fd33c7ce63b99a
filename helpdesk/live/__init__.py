"""The live stream: open pages hear that something changed and fetch it through the ordinary, permission-checked views.

An operation commits a `Change`; `upstream` hears of it, `Hub` hands it to the streams whose people may know, `stream`
writes it as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) on `/events`, an ASGI
application beside Django. Events carry ids and kinds, never words. Nothing is replayed: `hello` tells a page that
from now on it hears everything, so that is when it asks for what it missed.
"""
