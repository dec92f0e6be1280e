"""Compares what Quidditch and a real OpenSearch make of texts in many languages, and prints where they differ.

    python -m tools.analyzers http://127.0.0.1:9200 http://127.0.0.1:19200 --texts 300

The texts are the translated messages that programs of this machine carry (`/usr/share/locale`); each language's analyzer gets those of
its language and some of its neighbours'.
"""

from __future__ import annotations

import argparse
import gettext
import json
import random
from pathlib import Path
from typing import Any

from tools.differential import call

LOCALES = Path("/usr/share/locale")
LANGUAGES = {
    "arabic": "ar", "armenian": "hy", "basque": "eu", "bengali": "bn", "brazilian": "pt_BR", "bulgarian": "bg", "catalan": "ca",
    "cjk": "ja", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en_GB", "estonian": "et", "finnish": "fi", "french": "fr",
    "galician": "gl", "german": "de", "greek": "el", "hindi": "hi", "hungarian": "hu", "indonesian": "id", "irish": "ga", "italian": "it",
    "latvian": "lv", "lithuanian": "lt", "norwegian": "nb", "persian": "fa", "portuguese": "pt", "romanian": "ro", "russian": "ru",
    "sorani": "ku", "spanish": "es", "swedish": "sv", "turkish": "tr",
}  # fmt: skip
ANYWHERE = ("standard", "simple", "whitespace", "stop", "pattern", "fingerprint")
MANY = ("el", "he", "ka", "ko", "th", "uk", "vi", "zh_CN", "ja", "de", "fr", "ru", "hi", "ar")


def messages(locale: str) -> list[str]:
    """All translated messages of a language, without repetition."""
    found: dict[str, None] = {}
    for file in sorted((LOCALES / locale / "LC_MESSAGES").glob("*.mo")):
        with file.open("rb") as opened:
            try:
                catalog = gettext.GNUTranslations(opened)
            except (OSError, UnicodeDecodeError):
                continue
        for key, text in vars(catalog)["_catalog"].items():
            if key and isinstance(text, str) and len(text) < 2000:
                found[text] = None
    return list(found)


def tokens(answer: dict[str, Any]) -> Any:
    return answer.get("tokens", answer.get("error"))


def compare(urls: list[str], body: dict[str, Any]) -> tuple[Any, Any] | None:
    """The two answers where they differ."""
    data = json.dumps(body).encode()
    one, two = (tokens(call(url, "POST", "/_analyze", data)) for url in urls)
    return None if one == two else (one, two)


def shortest(urls: list[str], body: dict[str, Any]) -> tuple[str, Any, Any]:
    """The first word of the text that differs by itself, otherwise the text."""
    for word in body["text"].split():
        found = compare(urls, {**body, "text": word})
        if found is not None:
            return word, *found
    found = compare(urls, body)
    assert found is not None
    return body["text"], *found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.analyzers")
    parser.add_argument("urls", nargs=2)
    parser.add_argument("--texts", type=int, default=200, help="of each language")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    plan = [(analyzer, [locale]) for analyzer, locale in LANGUAGES.items()]
    plan += [(analyzer, list(MANY)) for analyzer in ANYWHERE]
    for analyzer, locales in plan:
        if args.only and analyzer not in args.only:
            continue
        texts = [text for locale in locales for text in messages(locale)]
        chance.shuffle(texts)
        # Several messages in one request: fewer requests for the same words.
        joined = ["\n".join(texts[at : at + 10]) for at in range(0, min(len(texts), args.texts), 10)]
        different = 0
        for text in joined or ["the running dogs"]:
            body = {"analyzer": analyzer, "text": text}
            if compare(args.urls, body) is not None:
                different += 1
                if different <= 3:
                    word, one, two = shortest(args.urls, body)
                    print(f"  {word[:80]!r}\n    {json.dumps(one)[:300]}\n    {json.dumps(two)[:300]}", flush=True)
        print(f"{analyzer}: {different} of {len(joined)} differ", flush=True)


if __name__ == "__main__":
    main()
