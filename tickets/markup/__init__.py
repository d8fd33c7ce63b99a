"""What stands on a page fifty times over, as HTML: a queue's rows and a conversation's lines.

Drawn by `format_html`, which escapes every value, in a tenth of the time a template takes. All else is templates, also
what few of these lines need: files, an edit form, the ways out of a failed delivery.
"""
