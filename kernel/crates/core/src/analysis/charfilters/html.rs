//! `html_strip`: takes out tags and comments, decodes entities.

use super::{CharFilter, Rewriter};
use crate::analysis::tokens::OffsetMap;

#[derive(Default)]
pub struct HtmlStrip {
    /// Tags that stay.
    pub escaped_tags: Vec<String>,
}

/// What has not ended by then is no tag: many openings without an end must not cost the square of their number.
const LONGEST_TAG: usize = 10_000;

/// Tags that end a line of text.
const BLOCKS: [&str; 40] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "col",
    "dd",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "html",
    "li",
    "menu",
    "noframes",
    "noscript",
    "ol",
    "option",
    "p",
    "pre",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "tr",
    "ul",
];

impl CharFilter for HtmlStrip {
    fn filter(&self, text: &str) -> (String, OffsetMap) {
        let mut rewriter = Rewriter::default();
        let mut at = 0;
        while let Some(next) = text[at..].find(['<', '&']).map(|n| at + n) {
            rewriter.keep(&text[at..next]);
            let rest = &text[next..];
            let taken =
                if rest.starts_with('<') { self.markup(rest, &mut rewriter) } else { entity(rest, &mut rewriter) };
            if taken == 0 {
                rewriter.keep(&rest[..1]);
                at = next + 1;
            } else {
                at = next + taken;
            }
        }
        rewriter.keep(&text[at..]);
        rewriter.done()
    }
}

impl HtmlStrip {
    /// Bytes of the markup that `rest` begins with; 0: it is none.
    fn markup(&self, rest: &str, rewriter: &mut Rewriter) -> usize {
        if let Some(comment) = rest.strip_prefix("<!--") {
            let taken = comment.find("-->").map_or(rest.len(), |n| n + 7);
            rewriter.replace(taken, "");
            return taken;
        }
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let inner = data.find("]]>").unwrap_or(data.len());
            rewriter.replace(9, "");
            rewriter.keep(&data[..inner]);
            let end = 3.min(data.len() - inner);
            rewriter.replace(end, "");
            return 9 + inner + end;
        }
        if rest.starts_with("<!") || rest.starts_with("<?") {
            let near = rest.as_bytes().iter().take(LONGEST_TAG).position(|b| *b == b'>');
            let Some(taken) = near.map(|n| n + 1) else { return 0 };
            rewriter.replace(taken, "");
            return taken;
        }
        self.tag(rest, rewriter)
    }

    fn tag(&self, rest: &str, rewriter: &mut Rewriter) -> usize {
        let closing = rest.starts_with("</");
        let body = &rest[1 + usize::from(closing)..];
        if !body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return 0;
        }
        let name_len = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.')))
            .unwrap_or(body.len());
        let name = body[..name_len].to_ascii_lowercase();
        let Some(end) = tag_end(&body[name_len..]) else {
            return 0;
        };
        let taken = rest.len() - body.len() + name_len + end;
        if self.escaped_tags.iter().any(|t| t.eq_ignore_ascii_case(&name)) {
            rewriter.keep(&rest[..taken]);
            return taken;
        }
        if !closing && (name == "script" || name == "style") && !rest[..taken].ends_with("/>") {
            let whole = closing_tag(rest, taken, &name);
            rewriter.replace(whole, "\n");
            return whole;
        }
        rewriter.replace(taken, if BLOCKS.contains(&name.as_str()) { "\n" } else { "" });
        taken
    }
}

/// Where a tag ends, counted from behind its name; quoted values may hold `>`.
fn tag_end(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in attributes.char_indices().take(LONGEST_TAG) {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            (None, '<') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            _ => {}
        }
    }
    None
}

/// Behind the closing tag of a script or style, whatever stands in it.
fn closing_tag(rest: &str, from: usize, name: &str) -> usize {
    let mut at = from;
    while let Some(found) = rest[at..].find("</").map(|n| at + n) {
        let behind = rest.as_bytes().get(found + 2..found + 2 + name.len());
        if behind.is_some_and(|b| b.eq_ignore_ascii_case(name.as_bytes())) {
            return rest[found..].find('>').map_or(rest.len(), |n| found + n + 1);
        }
        at = found + 2;
    }
    rest.len()
}

/// Bytes of the entity that `rest` begins with; 0: it is none.
fn entity(rest: &str, rewriter: &mut Rewriter) -> usize {
    let body = &rest[1..];
    let len = body.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(body.len());
    let ended = body[len..].starts_with(';');
    let name = &body[..len];
    let taken = 1 + len + usize::from(ended);
    let decoded = match name.strip_prefix('#') {
        Some(number) => numeric(number),
        // Without its semicolon only the old ones are known.
        None if !ended && !matches!(name, "amp" | "lt" | "gt" | "quot" | "nbsp" | "copy" | "reg") => None,
        None if name == "apos" => Some("'".to_owned()),
        None if name == "nbsp" => Some("\u{A0}".to_owned()),
        None => htmlescape::decode_html(&format!("&{name};")).ok().filter(|d| !d.starts_with('&') || name == "amp"),
    };
    match decoded {
        Some(text) => {
            // Lucene turns the no-break space into a plain one.
            let text = if text == "\u{A0}" { " ".to_owned() } else { text };
            rewriter.replace(taken, &text);
            taken
        }
        None => 0,
    }
}

fn numeric(number: &str) -> Option<String> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(text: &str) -> String {
        HtmlStrip::default().filter(text).0
    }

    #[test]
    fn tags_and_entities() {
        assert_eq!(strip("<p>I&apos;m so <b>happy</b>!</p>"), "\nI'm so happy!\n");
        assert_eq!(strip("a &lt; b &amp;&#65;&#x42; &eacute; &nope; 1 < 2"), "a < b &AB é &nope; 1 < 2");
        assert_eq!(strip("x<!-- <b> -->y<script>if (a<b) {}</script>z<br/>w"), "xy\nz\nw");
        assert_eq!(strip("<a href=\"x>y\">link</a><unclosed"), "link<unclosed");
        let keep = HtmlStrip { escaped_tags: vec!["b".to_owned()] };
        assert_eq!(keep.filter("<i>x</i><b>y</b>").0, "x<b>y</b>");
    }

    #[test]
    fn offsets_lead_back() {
        let (text, map) = HtmlStrip::default().filter("<b>the</b> dogs");
        assert_eq!(text, "the dogs");
        assert_eq!([0, 3, 4, 8].map(|o| map.correct(o)), [3, 10, 11, 15]);
    }
}
