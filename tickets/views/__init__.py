"""The desk's pages. Each view fetches what is visible, reads its form, does one operation and answers.

Pages are whole without a script; a request by htmx gets the fragments that changed instead.
"""
