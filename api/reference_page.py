"""The API reference at /docs, rendered on the server from the OpenAPI document: no script, nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: .9em ui-monospace, monospace }
pre { overflow: auto; padding: .75rem; border: 1px solid #8884; border-radius: .5rem }
section { border-top: 1px solid #8884; margin-top: 1.5rem }
table { border-collapse: collapse } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0 }
.method { text-transform: uppercase; font-weight: 600 }
"""

Document = Mapping[str, Any]


def reference_page(document: Document) -> str:
    """HTML of every endpoint of an OpenAPI 3.1 document: what it takes, what it answers, with examples."""
    info = document["info"]
    endpoints = "".join(_endpoint(document, *operation) for operation in _operations(document))
    body = f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>{_prose(info['description'])}{endpoints}"
    return page("API reference", body)


def page(title: str, body: str) -> str:
    """A plain page in the house style."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>heyan: {escape(title)}</title>"
    head += "<link rel=stylesheet href=style.css>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>"


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _endpoint(document: Document, path: str, method: str, operation: Document) -> str:
    name = f"<span class=method>{method}</span> <code>{escape(path)}</code>"
    heading = f"<h2 id='{escape(operation['operationId'])}'>{name}</h2>"
    about = _prose(operation.get("description", operation.get("summary", "")))
    asks = _content("Request", document, operation.get("requestBody", {}).get("content", {}))
    answers = "".join(
        f"<h3>{escape(status)}: {escape(answer['description'])}</h3>{_content('', document, answer.get('content', {}))}"
        for status, answer in operation["responses"].items()
    )
    return f"<section>{heading}{about}{asks}{answers}</section>"


def _content(heading: str, document: Document, content: Document) -> str:
    title = f"<h3>{heading}</h3>" if heading and content else ""
    return title + "".join(_schema(document, body["schema"]) for body in content.values() if body.get("schema"))


def _schema(document: Document, schema: Document) -> str:
    resolved = _resolve(document, schema)
    if "oneOf" in resolved:
        return "<p>or:</p>".join(_schema(document, option) for option in resolved["oneOf"])
    fields = resolved.get("properties", {})
    required = set(resolved.get("required", ()))
    rows = "".join(_field(name, _resolve(document, field), name in required) for name, field in fields.items())
    examples = "".join(f"<pre>{_pretty(example)}</pre>" for example in resolved.get("examples", ()))
    return (f"<table><tr><th>field<th>type<th>meaning</tr>{rows}</table>" if rows else "") + examples


def _field(name: str, field: Document, required: bool) -> str:
    mark = "" if required else " (optional)"
    kind = field.get("type") or " | ".join(option.get("type", "object") for option in field.get("anyOf", ()))
    return f"<tr><td><code>{escape(name)}</code>{mark}<td>{escape(kind)}<td>{escape(field.get('description', ''))}</tr>"


def _resolve(document: Document, schema: Document) -> Document:
    """Follow one reference; members beside it (a description) win."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rsplit("/", 1)[-1]
    target: Document = document["components"]["schemas"][name]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _prose(text: str) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _pretty(example: Any) -> str:
    return escape(json.dumps(example, indent=2, ensure_ascii=False))
