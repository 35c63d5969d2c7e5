"""A process of its own that reads a file from nobody in particular: `reader.py KIND BASE_URL MEMORY CPU`.

The file comes by standard input, a JSON object goes out. Parsers meet hostile files: this one may burn and
crash without the server. It is run by its path, without our packages, and imports what its file needs only.
"""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

FURNITURE = (  # what stands around the text of a page
    "nav",
    '[role="navigation"]',
    '[role="search"]',
    '[role="dialog"]',
    '[class*="cookie"]',
    '[id*="cookie"]',
    '[class*="sidebar"]',
    '[id*="sidebar"]',
    ".headerlink",
)
PUBLISHED = ("article-published_time", "article:published_time", "date", "dc.date", "dcterms.date")
MOST_CHARS = 2_000_000


def limit(memory: int, cpu: int) -> None:
    """Take no more than this: bytes of address space, seconds of processor time; no files."""
    try:
        import resource  # noqa: PLC0415 - Unix has it
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_html(content: bytes, base_url: str) -> Mapping[str, Any]:
    """A page as markdown, without its furniture."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert  # noqa: PLC0415 - see above

    html = content.decode()
    options = ConversionOptions(
        preprocessing=PreprocessingOptions(enabled=True, preset="aggressive"),
        exclude_selectors=list(FURNITURE),
        inline_data_media="alt_text_only",
        compact_tables=True,
        base_url=base_url or None,
        extract_metadata=False,
    )
    said = convert(html, options).content or ""
    told = convert(html, replace(options, extract_metadata=True)).metadata
    page = told.document if told else None
    if page is None:
        return {"text": said}
    meta: Mapping[str, str] = page.meta_tags
    published = next((meta[name] for name in PUBLISHED if name in meta), None)
    title = page.title or page.open_graph.get("title")
    return {"text": said, "title": title, "author": page.author, "published": published}


def read_pdf(content: bytes, _: str) -> Mapping[str, Any]:
    """The text of a PDF, page by page."""
    from pypdf import PdfReader  # noqa: PLC0415 - see above

    pdf = PdfReader(io.BytesIO(content))
    if pdf.is_encrypted:
        pdf.decrypt("")
    pages: list[str] = []
    size = 0
    for number, page in enumerate(pdf.pages, 1):
        text = page.extract_text().strip()
        pages.append(f"[Page {number}]\n{text}" if text else "")
        size += len(text)
        if size > MOST_CHARS:
            break
    about = pdf.metadata
    text = "\n\n".join(filter(None, pages))
    return {"text": text, "title": about and about.title, "author": about and about.author}


def main() -> None:
    """Read standard input as a file of this kind."""
    kind, base_url, memory, cpu = sys.argv[1:]
    limit(int(memory), int(cpu))
    read = {"html": read_html, "pdf": read_pdf}[kind]
    try:
        told = dict(read(sys.stdin.buffer.read(), base_url))
    except Exception as error:  # noqa: BLE001 - whatever a parser makes of it is told to who asked
        told = {"error": f"{type(error).__name__}: {error}"[:500]}
    told["text"] = str(told.get("text") or "")[: MOST_CHARS + 1]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
