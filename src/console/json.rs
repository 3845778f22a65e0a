//! JSON for people: indented, and otherwise as it came. Nothing is parsed, so that no digit of a number is lost and keys
//! stay in their order.

/// The text with line breaks and indentation. A text that is no JSON comes out readable, but not as it came.
pub(super) fn indented(text: &str) -> String {
    let (mut out, mut depth, mut in_string, mut is_escaped) = (String::with_capacity(text.len() * 2), 0, false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                out.push(c);
                match rest.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => begin_line(&mut out, {
                        depth += 1;
                        depth
                    }),
                }
            }
            '}' | ']' => {
                depth -= 1;
                begin_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                begin_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn begin_line(out: &mut String, depth: i32) {
    /// Deeper levels are not indented further.
    const DEEPEST: i32 = 40;
    out.push('\n');
    for _ in 0..depth.min(DEEPEST) {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_its_numbers_and_strings_stay_as_they_came() {
        let text = r#"{"z":12345678901234567890.10,"a" : [ ],"o":{},"list":[1,{"x":"a\"{,:\\"}],"n":null}"#;
        let expected = "{\n  \"z\": 12345678901234567890.10,\n  \"a\": [],\n  \"o\": {},\n  \"list\": [\n    1,\n    {\n      \"x\": \"a\\\"{,:\\\\\"\n    }\n  ],\n  \"n\": null\n}";
        assert_eq!(indented(text), expected);
    }

    #[test]
    fn indenting_twice_is_indenting_once() {
        let text = r#"{"a":[1,2,{"b":"c d"}],"e":"é\n"}"#;
        assert_eq!(indented(&indented(text)), indented(text));
    }

    #[test]
    fn what_is_no_json_is_no_problem() {
        for text in ["", "]]]]", "\"open", "{\"a\":", "\\", "[".repeat(3_000).as_str()] {
            indented(text);
        }
    }
}
