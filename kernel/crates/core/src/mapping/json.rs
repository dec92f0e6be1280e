//! A pull parser over JSON bytes: borrows strings, keeps numbers as they were written, allocates only for escapes.
//!
//! Documents are walked once, straight into index values; a tree of `serde_json::Value` would cost more than the walk itself.
//! The sentences of the errors are those that OpenSearch's users know.

use std::borrow::Cow;

/// One value or the opening of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    ObjectStart,
    ArrayStart,
    Str(Cow<'a, str>),
    /// As written.
    Num(&'a str),
    Bool(bool),
    Null,
}

/// What is wrong with the text, ready for `json_parse_exception`.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonError {
    pub message: String,
}

pub type JsonResult<T> = Result<T, JsonError>;

/// Nesting beyond this is refused before the stack is in danger.
pub const MAX_NESTING: u32 = 1000;

/// What Jackson says of a source that it does not show.
pub const SOURCE: &str = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

pub struct Reader<'a> {
    text: &'a str,
    pos: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, pos: 0, depth: 0 }
    }

    /// Byte offset of what comes next.
    pub fn pos(&self) -> usize {
        self.pos
    }

    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub fn skip_ws(&mut self) {
        let bytes = self.bytes();
        while self.pos < bytes.len() && matches!(bytes[self.pos], b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
    }

    /// The next byte that is not white space.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        self.skip_ws();
        self.bytes().get(self.pos).copied()
    }

    /// The next value; for objects and arrays its opening, after which `next_key` and `next_item` take over.
    #[inline]
    pub fn value(&mut self) -> JsonResult<Token<'a>> {
        match self.peek() {
            Some(b'"') => Ok(Token::Str(self.string()?)),
            Some(b'{') => {
                self.open()?;
                Ok(Token::ObjectStart)
            }
            Some(b'[') => {
                self.open()?;
                Ok(Token::ArrayStart)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Num),
            Some(b't') if self.literal("true") => Ok(Token::Bool(true)),
            Some(b'f') if self.literal("false") => Ok(Token::Bool(false)),
            Some(b'n') if self.literal("null") => Ok(Token::Null),
            Some(_) => Err(self.bad_value()),
            None => Err(self.error("Unexpected end-of-input".to_owned())),
        }
    }

    fn open(&mut self) -> JsonResult<()> {
        self.pos += 1;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            let depth = self.depth;
            return Err(self.error(format!(
                "Document nesting depth ({depth}) exceeds the maximum allowed ({MAX_NESTING}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)"
            )));
        }
        Ok(())
    }

    /// The next member name of the open object, or None at its end. `first` is true before the first member.
    #[inline]
    pub fn next_key(&mut self, first: &mut bool) -> JsonResult<Option<Cow<'a, str>>> {
        match self.peek() {
            Some(b'}') => {
                self.close();
                return Ok(None);
            }
            Some(b',') if !*first => {
                self.pos += 1;
                self.skip_ws();
            }
            Some(c) if !*first => return Err(self.unexpected(c, "was expecting comma to separate Object entries")),
            None => {
                return Err(self.error(format!(
                    "Unexpected end-of-input: expected close marker for Object {}",
                    self.open_marker()
                )));
            }
            _ => {}
        }
        *first = false;
        match self.bytes().get(self.pos) {
            Some(b'"') => {}
            Some(&c) => return Err(self.unexpected(c, "was expecting double-quote to start field name")),
            None => return Err(self.error("Unexpected end-of-input within/between Object entries".to_owned())),
        }
        let key = self.string()?;
        match self.peek() {
            Some(b':') => self.pos += 1,
            Some(c) => return Err(self.unexpected(c, "was expecting a colon to separate field name and value")),
            None => return Err(self.error("Unexpected end-of-input within/between Object entries".to_owned())),
        }
        Ok(Some(key))
    }

    /// Whether the open array has a further item.
    #[inline]
    pub fn next_item(&mut self, first: &mut bool) -> JsonResult<bool> {
        match self.peek() {
            Some(b']') => {
                self.close();
                Ok(false)
            }
            Some(b',') if !*first => {
                self.pos += 1;
                Ok(true)
            }
            Some(_) if *first => {
                *first = false;
                Ok(true)
            }
            Some(c) => Err(self.unexpected(c, "was expecting comma to separate Array entries")),
            None => {
                Err(self
                    .error(format!("Unexpected end-of-input: expected close marker for Array {}", self.open_marker())))
            }
        }
    }

    fn close(&mut self) {
        self.pos += 1;
        self.depth -= 1;
    }

    /// Reads the rest of the value that `token` began.
    pub fn skip_rest(&mut self, token: &Token<'a>) -> JsonResult<()> {
        let mut first = true;
        match token {
            Token::ObjectStart => {
                while self.next_key(&mut first)?.is_some() {
                    self.skip_value()?;
                }
            }
            Token::ArrayStart => {
                while self.next_item(&mut first)? {
                    self.skip_value()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub fn skip_value(&mut self) -> JsonResult<()> {
        let token = self.value()?;
        self.skip_rest(&token)
    }

    fn literal(&mut self, word: &str) -> bool {
        let bytes = self.bytes();
        let end = self.pos + word.len();
        let found = bytes.get(self.pos..end) == Some(word.as_bytes())
            && !bytes.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
        if found {
            self.pos = end;
        }
        found
    }

    fn number(&mut self) -> JsonResult<&'a str> {
        let bytes = self.bytes();
        let start = self.pos;
        let mut i = start + usize::from(bytes[start] == b'-');
        let digits = |mut i: usize| {
            let from = i;
            while i < bytes.len() && bytes[i].is_ascii_digit() {
                i += 1;
            }
            (i, i > from)
        };
        let int_from = i;
        let (after_int, some) = digits(i);
        i = after_int;
        if !some {
            self.pos = i;
            return Err(self.bad_number("expected digit (0-9) to follow minus sign, for valid numeric value"));
        }
        if bytes[int_from] == b'0' && i > int_from + 1 {
            self.pos = int_from + 1;
            return Err(self.error("Invalid numeric value: Leading zeroes not allowed".to_owned()));
        }
        if bytes.get(i) == Some(&b'.') {
            let (end, some) = digits(i + 1);
            i = end;
            if !some {
                self.pos = i;
                return Err(self.bad_number("Decimal point not followed by a digit"));
            }
        }
        if let Some(b'e' | b'E') = bytes.get(i) {
            let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
            let (end, some) = digits(i + 1 + sign);
            i = end;
            if !some {
                self.pos = i;
                return Err(self.bad_number("Exponent indicator not followed by a digit"));
            }
        }
        self.pos = i;
        if bytes.get(i).is_some_and(|c| !matches!(c, b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}')) {
            return Err(self.bad_number("Expected space separating root-level values"));
        }
        Ok(&self.text[start..i])
    }

    #[inline]
    fn string(&mut self) -> JsonResult<Cow<'a, str>> {
        let start = self.pos + 1;
        let end = self.string_end(start)?;
        if self.bytes()[end] == b'"' {
            self.pos = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.escaped_string(start, end).map(Cow::Owned)
    }

    /// Offset of the first quote or backslash from `i` on.
    #[inline]
    fn string_end(&mut self, mut i: usize) -> JsonResult<usize> {
        let bytes = self.bytes();
        while let Some(chunk) = bytes.get(i..i + 8) {
            if has_special(u64::from_le_bytes(chunk.try_into().expect("eight bytes"))) {
                break;
            }
            i += 8;
        }
        while let Some(&c) = bytes.get(i) {
            if c == b'"' || c == b'\\' {
                return Ok(i);
            }
            if c < 0x20 {
                self.pos = i;
                return Err(self.error(format!(
                    "Illegal unquoted character ((CTRL-CHAR, code {c})): has to be escaped using backslash to be included in string value"
                )));
            }
            i += 1;
            // Back to eight at a time after the odd byte that stopped it.
            if i.is_multiple_of(64) {
                while let Some(chunk) = bytes.get(i..i + 8) {
                    if has_special(u64::from_le_bytes(chunk.try_into().expect("eight bytes"))) {
                        break;
                    }
                    i += 8;
                }
            }
        }
        self.pos = bytes.len();
        Err(self.error("Unexpected end-of-input in VALUE_STRING".to_owned()))
    }

    #[cold]
    fn escaped_string(&mut self, start: usize, first_escape: usize) -> JsonResult<String> {
        let mut out = String::with_capacity((first_escape - start) * 2 + 16);
        out.push_str(&self.text[start..first_escape]);
        let mut i = first_escape;
        loop {
            if self.bytes()[i] == b'"' {
                self.pos = i + 1;
                return Ok(out);
            }
            i = self.escape(i + 1, &mut out)?;
            let end = self.string_end(i)?;
            out.push_str(&self.text[i..end]);
            i = end;
        }
    }

    /// Decodes the escape whose letter stands at `i`; returns the offset after it.
    fn escape(&mut self, i: usize, out: &mut String) -> JsonResult<usize> {
        let c = match self.bytes().get(i) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(i + 1, out),
            _ => {
                self.pos = i.min(self.text.len());
                return Err(self.error("Unrecognized character escape".to_owned()));
            }
        };
        out.push(c);
        Ok(i + 1)
    }

    fn unicode_escape(&mut self, i: usize, out: &mut String) -> JsonResult<usize> {
        let first = self.hex4(i)?;
        let next = i + 4;
        if (0xD800..0xDC00).contains(&first) && self.bytes().get(next..next + 2) == Some(b"\\u") {
            let second = self.hex4(next + 2)?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                out.push(char::from_u32(code).unwrap_or('\u{FFFD}'));
                return Ok(next + 6);
            }
        }
        // A lone surrogate has no UTF-8 form; Lucene writes the replacement character too.
        out.push(char::from_u32(first).unwrap_or('\u{FFFD}'));
        Ok(next)
    }

    fn hex4(&mut self, i: usize) -> JsonResult<u32> {
        let digits = self.bytes().get(i..i + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok()) {
            Some(code) => Ok(code),
            None => {
                self.pos = i.min(self.text.len());
                Err(self.error("Unexpected character: expected a hex-digit for character escape sequence".to_owned()))
            }
        }
    }

    /// Nothing but white space may follow the root value.
    #[cfg(test)]
    pub fn end(&mut self) -> JsonResult<()> {
        match self.peek() {
            None => Ok(()),
            Some(c) => Err(self.unexpected(c, "expected end of input")),
        }
    }

    fn unexpected(&self, c: u8, hint: &str) -> JsonError {
        let shown = self.text[self.pos..].chars().next().unwrap_or(c as char);
        self.error(format!("Unexpected character ('{shown}' (code {})): {hint}", shown as u32))
    }

    fn bad_number(&self, hint: &str) -> JsonError {
        match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            Some(c) => self.error(format!("Unexpected character ('{c}' (code {})) in numeric value: {hint}", c as u32)),
            None => self.error("Unexpected end-of-input in a number".to_owned()),
        }
    }

    fn bad_value(&self) -> JsonError {
        let rest = &self.text[self.pos..];
        let word: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').take(256).collect();
        if word.is_empty() {
            let c = rest.chars().next().unwrap_or(' ');
            let hint = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
            return self.error(format!("Unexpected character ('{c}' (code {})): {hint}", c as u32));
        }
        self.error(format!(
            "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        ))
    }

    /// `message` with line and column, as Jackson words it.
    pub fn error(&self, message: String) -> JsonError {
        let pos = self.pos.min(self.text.len());
        let before = &self.text.as_bytes()[..pos];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = pos - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
        JsonError { message: format!("{message}\n at [Source: {SOURCE}; line: {line}, column: {column}]") }
    }

    /// As [`Reader::error`], at the end of the member name that was just read.
    pub fn error_before_colon(&mut self, message: String) -> JsonError {
        let end = self.text[..self.pos].trim_end_matches(':').trim_end().len();
        self.pos = end;
        self.error(message)
    }

    /// Where the innermost open object or array starts, for the message about its missing end.
    fn open_marker(&self) -> String {
        let mut open = vec![];
        let (mut quoted, mut escaped) = (false, false);
        for (at, b) in self.text.bytes().enumerate() {
            match b {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => open.push(at),
                b'}' | b']' if !quoted => {
                    open.pop();
                }
                _ => {}
            }
        }
        let (line, column) = self.location(open.last().copied().unwrap_or(0));
        format!("(start marker at [Source: {SOURCE}; line: {line}, column: {column}])")
    }

    /// Line and column of a byte offset, as `1:6`.
    pub fn location(&self, pos: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        (line, pos - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1)
    }
}

/// Whether any of eight bytes is a quote, a backslash or a control character.
#[inline]
fn has_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    (zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64)) | control) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rebuilds the value, to compare with serde_json.
    fn read(r: &mut Reader<'_>) -> JsonResult<serde_json::Value> {
        let mut first = true;
        Ok(match r.value()? {
            Token::ObjectStart => {
                let mut map = serde_json::Map::new();
                while let Some(key) = r.next_key(&mut first)? {
                    let value = read(r)?;
                    map.insert(key.into_owned(), value);
                }
                map.into()
            }
            Token::ArrayStart => {
                let mut items = vec![];
                while r.next_item(&mut first)? {
                    items.push(read(r)?);
                }
                items.into()
            }
            Token::Str(s) => s.into_owned().into(),
            Token::Num(n) => serde_json::from_str(n).expect("a number"),
            Token::Bool(b) => b.into(),
            Token::Null => serde_json::Value::Null,
        })
    }

    fn parse(text: &str) -> JsonResult<serde_json::Value> {
        let mut r = Reader::new(text);
        let value = read(&mut r)?;
        r.end()?;
        Ok(value)
    }

    #[test]
    fn errors_name_the_place() {
        for (text, start) in [
            ("{a:1}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"),
            ("{\"a\":tru}", "Unrecognized token 'tru'"),
            ("{\"a\":1", "Unexpected end-of-input"),
            ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma"),
            ("[01]", "Invalid numeric value: Leading zeroes not allowed"),
            ("\"a\nb\"", "Illegal unquoted character ((CTRL-CHAR, code 10))"),
            ("{\"a\":\"x", "Unexpected end-of-input in VALUE_STRING"),
        ] {
            let message = parse(text).expect_err(text).message;
            assert!(message.starts_with(start), "{text}: {message}");
        }
        assert!(parse("{\n x").expect_err("bad").message.ends_with("line: 2, column: 2]"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(parse(&"[".repeat(100_000)).expect_err("deep").message.contains("nesting depth"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Into::into)),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(".{0,70}", inner, 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde(value in json()) {
            prop_assert_eq!(&parse(&value.to_string()).expect("valid"), &value);
            prop_assert_eq!(&parse(&serde_json::to_string_pretty(&value).expect("json")).expect("valid"), &value);
        }

        #[test]
        fn accepts_only_what_serde_accepts(text in "[\\[\\]{}\",:0-9eE+.\\-truefalsn \\\\u]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let ours = parse(&text);
            // Lone surrogates and huge exponents are ours to accept.
            if !text.contains("\\u") && !text.contains(['e', 'E']) {
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", ours);
            }
        }
    }
}
