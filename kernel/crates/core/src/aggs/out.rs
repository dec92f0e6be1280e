//! A small writer of JSON text: members in the order they are written, doubles as Java prints them.

use super::java;

/// JSON under construction. Commas are put by the writer.
#[derive(Default)]
pub struct Out {
    text: String,
    /// A value was just finished at this depth, so the next member needs a comma.
    comma: bool,
}

impl Out {
    pub fn finish(self) -> String {
        self.text
    }

    pub fn begin_object(&mut self) {
        self.separate();
        self.text.push('{');
        self.comma = false;
    }

    pub fn end_object(&mut self) {
        self.text.push('}');
        self.comma = true;
    }

    pub fn begin_array(&mut self) {
        self.separate();
        self.text.push('[');
        self.comma = false;
    }

    pub fn end_array(&mut self) {
        self.text.push(']');
        self.comma = true;
    }

    /// The name of the next value.
    pub fn key(&mut self, name: &str) {
        self.separate();
        write_text(&mut self.text, name);
        self.text.push(':');
        self.comma = false;
    }

    pub fn string(&mut self, value: &str) {
        self.separate();
        write_text(&mut self.text, value);
        self.comma = true;
    }

    pub fn long(&mut self, value: i64) {
        self.raw(&value.to_string());
    }

    pub fn unsigned(&mut self, value: u64) {
        self.raw(&value.to_string());
    }

    /// A double; those JSON lacks go out as text, as OpenSearch does.
    pub fn double(&mut self, value: f64) {
        self.separate();
        if value.is_finite() {
            java::write_double(&mut self.text, value);
        } else {
            self.text.push('"');
            java::write_double(&mut self.text, value);
            self.text.push('"');
        }
        self.comma = true;
    }

    pub fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    /// JSON text made elsewhere.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.text.push_str(json);
        self.comma = true;
    }

    pub fn json(&mut self, value: &serde_json::Value) {
        self.raw(&value.to_string());
    }

    pub fn field_string(&mut self, name: &str, value: &str) {
        self.key(name);
        self.string(value);
    }

    pub fn field_unsigned(&mut self, name: &str, value: u64) {
        self.key(name);
        self.unsigned(value);
    }

    pub fn field_long(&mut self, name: &str, value: i64) {
        self.key(name);
        self.long(value);
    }

    pub fn field_double(&mut self, name: &str, value: f64) {
        self.key(name);
        self.double(value);
    }

    pub fn field_null(&mut self, name: &str) {
        self.key(name);
        self.null();
    }

    fn separate(&mut self) {
        if self.comma {
            self.text.push(',');
        }
        self.comma = false;
    }
}

fn write_text(out: &mut String, value: &str) {
    out.push('"');
    let mut plain = 0;
    for (i, b) in value.bytes().enumerate() {
        let escape = match b {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&value[plain..i]);
        if escape.is_empty() {
            out.push_str(&format!("\\u{b:04X}"));
        } else {
            out.push_str(escape);
        }
        plain = i + 1;
    }
    out.push_str(&value[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_escapes() {
        let mut out = Out::default();
        out.begin_object();
        out.field_string("a\"b", "x\ny\u{1}");
        out.key("list");
        out.begin_array();
        out.long(1);
        out.double(2.0);
        out.double(f64::NAN);
        out.begin_object();
        out.end_object();
        out.end_array();
        out.field_null("n");
        out.end_object();
        assert_eq!(out.finish(), r#"{"a\"b":"x\ny\u0001","list":[1,2.0,"NaN",{}],"n":null}"#);
    }
}
