"""Sphinx's configuration."""

import kafka2parquet

project = "kafka2parquet"
author = "the kafka2parquet authors"
copyright = author  # noqa: A001  # Sphinx's name
release = kafka2parquet.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_llms_txt",
]
html_theme = "furo"
html_title = "kafka2parquet"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
exclude_patterns = ["_build", "dashboards"]
myst_enable_extensions = ["attrs_block", "deflist"]
myst_heading_anchors = 3
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
smartquotes_action = "q"  # -- and ... stay: they are options and code
copybutton_prompt_text = "$ "
llms_txt_code_files = ["+:../examples/*.py"]
llms_txt_summary = (
    "kafka2parquet drains Kafka topics into Parquet files on S3, Google Cloud Storage or any fsspec store, every record exactly"
    " once, inside a Python service or from the command line. It reads configurations of Kafka Connect's S3 and GCS sinks."
)
