"""A process of its own that reads a file from nobody in particular.

`reader.py KIND BASE_URL MEMORY CPU CHARACTERS NICENESS`: the file comes by standard input, a JSON object goes
out. Parsers meet hostile files: this one may burn and crash without the server. It is run by its path,
without our packages, and imports what its file needs only.
"""

import io
import json
import os
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
HYPHEN = "\ufffe"  # as PDFium has it where a word is cut at a line's end
MOST_UNPACKED, MOST_PARTS = 200_000_000, 10_000
TITLES = {"title": "title", "creator": "author", "created": "published"}


class Refused(Exception):
    """What it is not read for, as a sentence's end."""


def limit(memory: int, cpu: int, niceness: int) -> None:
    """Take no more than this: bytes of address space, seconds of processor time; no files."""
    try:
        import resource  # noqa: PLC0415 - Unix has it
    except ImportError:
        return
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_html(content: bytes, base_url: str, _: int = 0) -> Mapping[str, Any]:
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


def read_pdf(content: bytes, _: str, most: int) -> Mapping[str, Any]:
    """The text of a PDF, page by page."""
    import pypdfium2  # noqa: PLC0415 - see above

    try:
        pdf = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise Refused("it is locked by a password" if "password" in str(error) else str(error)) from error
    pages: list[str] = []
    for number in range(1, len(pdf) + 1):
        text = pdf[number - 1].get_textpage().get_text_bounded().strip()
        text = text.replace("\r\n", "\n").replace(HYPHEN, "-")
        if text:
            pages.append(f"[Page {number}]\n{text}")
        if sum(map(len, pages)) > most:
            break
    if not pages and len(pdf):
        raise Refused(f"there is no text on its {len(pdf)} pages, they may be pictures")
    about = pdf.get_metadata_dict()
    return {"text": "\n\n".join(pages), "title": about["Title"], "author": about["Author"]}


def read_docx(content: bytes, _: str, most: int) -> Mapping[str, Any]:
    """A Word document as markdown: headings, lists, tables, notes; pictures by their descriptions."""
    import zipfile  # noqa: PLC0415 - see above

    import mammoth  # noqa: PLC0415
    from mammoth import html  # noqa: PLC0415

    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = packed.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise Refused("it is packed to many times its size")
        about = _core_properties(packed)

    def picture(image: Any) -> list[Any]:
        return [html.text(f"[{image.alt_text}]")] if image.alt_text else []

    read: Any = mammoth.convert_to_html  # type: ignore[attr-defined] - it has no hints
    page: str = read(io.BytesIO(content), convert_image=picture).value
    return {**about, "text": read_html(page.encode(errors="replace"), "", most)["text"]}


def _core_properties(packed: Any) -> dict[str, str]:
    """What the document tells of itself."""
    from xml.etree import ElementTree  # noqa: PLC0415 - see above

    if "docProps/core.xml" not in packed.namelist():
        return {}
    told = ElementTree.fromstring(packed.read("docProps/core.xml"))
    named = {each.tag.rpartition("}")[2]: each.text for each in told}
    return {ours: words for theirs, ours in TITLES.items() if (words := named.get(theirs))}


READERS = {"html": read_html, "pdf": read_pdf, "docx": read_docx}


def main() -> None:
    """Read standard input as a file of this kind."""
    kind, base_url, memory, cpu, characters, niceness = sys.argv[1:]
    limit(int(memory), int(cpu), int(niceness))
    most = int(characters)
    try:
        told = dict(READERS[kind](sys.stdin.buffer.read(), base_url, most))
    except Refused as refusal:
        told = {"error": str(refusal)}
    except Exception as error:  # noqa: BLE001 - whatever a parser makes of it is told to who asked
        told = {"error": f"{type(error).__name__}: {error}"[:500]}
    told["text"] = str(told.get("text") or "")[: most + 1]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
