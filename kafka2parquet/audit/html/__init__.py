"""The page of an audit, for people who read it in a browser, on paper or in a mail: `kafka2parquet audit --html`.

`page` puts the parts together: `summary` says what was checked, `findings` what is wrong and what to do, `picture` draws the
offsets, `tables` has the numbers. `elements` makes elements whose texts can't be read as HTML, and `page.css` is the style.
The page has no script and loads nothing.
"""
