"""The worst day: `manage.py chaos` kills the bot, breaks its networks and its database, and judges what came of it.

`oracle` judges what both sides know of a conversation, `trial` lets people write and asks both sides, `kills` and
`outages` are what befalls the product, `databases` the databases it befalls it on, `run` one run on one of them,
`report` what is told of it. The slow tests play smaller runs of the same.
"""
