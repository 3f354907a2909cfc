"""The site: Markdown pages by MyST, the reference by autosummary and numpydoc, the gallery by sphinx-gallery.

`make site` builds it, with every warning an error. Words: a page is a Markdown file below docs/; the
reference is what autosummary makes of the docstrings; the gallery is what docs/gallery/*.py print and draw.
"""

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from sphinx.domains.python import PyXRefRole

import fastfm_c

project = "fastfm_c"
author = "The fastfm_c developers"
copyright = author
release = version = fastfm_c.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "gallery"]
nitpicky = True  # for our own names; those of others are links only where inventories can be had
nitpick_ignore_regex = [
    ("py:.*", rf"({name})([.].*)?") for name in ("numpy", "scipy", "sklearn", "sys", "pandas")
]
if os.environ.get("FASTFM_C_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

# ------------------------------------------------------------------------------------------- pages
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
SOURCE = "https://github.com/fastfm-c/fastfm_c/blob/main/"
GALLERY = "docs/gallery/GALLERY_HEADER.rst"  # what sphinx-gallery makes auto_gallery/index.rst of
ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(\]\()([^)\s:#]+)(#[^)\s]*)?\)")
_INCLUDE = re.compile(r"```\{include\} (\S+)\n```\n")


def pages_of_the_repository() -> dict[str, str]:
    """Files outside docs/ that a page includes whole, and that page: links to the one lead to the other."""
    found = {}
    for page in Path(__file__).parent.glob("project/*.md"):
        if included := _INCLUDE.fullmatch(page.read_text(encoding="utf-8")):
            file = (page.parent / included[1]).resolve().relative_to(ROOT).as_posix()
            found[file] = page.relative_to(ROOT).as_posix()
    return found


PAGES = pages_of_the_repository() | {
    GALLERY: "docs/auto_gallery/index.rst",
    **{
        f"docs/gallery/{page.name}": f"docs/auto_gallery/{page.stem}.rst"
        for page in Path(__file__).parent.glob("gallery/plot_*.py")
    },
}


def point_at_pages(app: Any, name: str, source: list[str]) -> None:
    """Let links to what is no page point at the file in the repository, and take in what a page includes."""
    page = f"docs/{name}"
    if included := _INCLUDE.fullmatch(source[0]):
        file = posixpath.normpath(posixpath.join(posixpath.dirname(page), included[1]))
        source[0] = (ROOT / file).read_text(encoding="utf-8")
    else:
        file = page

    def target(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[2]))
        path = PAGES.get(path, path)
        if not path.startswith("docs/") or path.startswith("docs/gallery/"):
            return f"{match[1]}{SOURCE}{path}{match[3] or ''})"
        return f"{match[1]}{posixpath.relpath(path, posixpath.dirname(page))}{match[3] or ''})"

    source[0] = _LINK.sub(target, source[0])


# --------------------------------------------------------------------------------------- reference
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc has the types in words
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
default_role = "name"


class Name(PyXRefRole):
    """What stands in single backticks: a link if the reference has it, else code.

    A name that begins with the package's or one of its classes' must be there.
    """

    def run(self) -> Any:
        self.name = "py:obj"
        return super().run()

    def process_link(self, env: Any, refnode: Any, *args: Any) -> tuple[str, str]:
        title, target = super().process_link(env, refnode, *args)
        first = target.split(".")[0]
        refnode["may_be_missing"] = first != "fastfm_c" and (first == target or first not in fastfm_c.__all__)
        return title, target


def find_at_the_top(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Find a name of a topic module's page among the names of the top level; else let it be code."""
    if node.get("refdomain") != "py" or node["reftarget"].startswith("fastfm_c."):
        return None
    target = f"fastfm_c.{node['reftarget']}"
    found = env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, content
    )
    return found or (content if node.get("may_be_missing") else None)


def skip_what_others_wrote(
    app: Any, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out scikit-learn's metadata routing, and what SciPy and Python document."""
    theirs = getattr(getattr(thing, "fget", thing), "__module__", None) or ""
    is_routing = name == "get_metadata_routing" or (name.startswith("set_") and name.endswith("_request"))
    return True if is_routing or theirs.startswith(("scipy.", "collections.abc")) else None


# ----------------------------------------------------------------------------------------- gallery
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1,
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib",),
}

# -------------------------------------------------------------------------------------------- HTML
html_theme = "pydata_sphinx_theme"
html_title = "fastfm_c"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"index": []}
html_theme_options = {
    "github_url": "https://github.com/fastfm-c/fastfm_c",
    "header_links_before_dropdown": 9,  # the sections
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "show_prev_next": True,
    "navigation_with_keys": False,
}


def setup(app: Any) -> None:
    app.add_role("name", Name())
    app.connect("missing-reference", find_at_the_top)
    app.connect("autodoc-skip-member", skip_what_others_wrote)
    app.connect("source-read", point_at_pages)
