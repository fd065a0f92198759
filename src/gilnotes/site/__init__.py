"""Everything that knows Markdown or MkDocs; nothing outside this folder imports it.

The way through it is one street::

    page.md ──find_blocks──▶ [Block] ──run──▶ [Outcome] ──render──▶ page.html
"""
