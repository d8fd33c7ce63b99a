"""The speed tool: `manage.py bench` fills databases of several sizes and measures the product on them.

`seed` fills a database, `store` makes, keeps and drops databases, `client` asks over HTTP, `measuring` asks everything
in turn, `report` works out and writes the table. `settings` and `urls` are those of the web servers it starts: the
product's own and a bare view beside them.
"""
