//! A slow reading of JSON (RFC 8259) that shares nothing with the service's: the oracle of what a body says.

use std::iter::Peekable;
use std::str::CharIndices;

/// A value. Text is none where it has half a surrogate pair, which no text in Rust can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Flag(bool),
    /// As written.
    Number(String),
    Text(Option<String>),
    List(Vec<Json>),
    Object(Vec<(Option<String>, Json)>),
}

impl Json {
    /// Reads a whole text; none when it is not JSON.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text, rest: text.char_indices().peekable() };
        parser.skip_blanks();
        let value = parser.value()?;
        parser.skip_blanks();
        parser.rest.next().is_none().then_some(value)
    }

    /// The last field of this name, if this is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().rev().find(|(found, _)| found.as_deref() == Some(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(Some(text)) = self { Some(text) } else { None }
    }

    /// An integer of 64 bits. `-0` is not one, nor is `1e3`.
    pub fn integer(&self) -> Option<i64> {
        let Self::Number(written) = self else { return None };
        written.parse().ok().filter(|number| *number != 0 || written == "0")
    }

    /// Visits this value and all below it.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::List(values) => values.iter().for_each(|value| value.visit(see)),
            Self::Object(fields) => fields.iter().for_each(|(_, value)| value.visit(see)),
            _ => {}
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, c)| *c)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest.next_if(|(_, c)| *c == wanted).map(|_| ())
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
    }

    fn value(&mut self) -> Option<Json> {
        match self.peek()? {
            '{' => self.several('{', '}', Self::field).map(Json::Object),
            '[' => self.several('[', ']', Self::value).map(Json::List),
            '"' => self.string().map(Json::Text),
            'n' => self.word("null", Json::Null),
            't' => self.word("true", Json::Flag(true)),
            'f' => self.word("false", Json::Flag(false)),
            _ => self.number(),
        }
    }

    fn several<T>(&mut self, open: char, close: char, one: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take(open)?;
        self.skip_blanks();
        let mut found = Vec::new();
        if self.take(close).is_some() {
            return Some(found);
        }
        loop {
            self.skip_blanks();
            found.push(one(self)?);
            self.skip_blanks();
            if self.take(close).is_some() {
                return Some(found);
            }
            self.take(',')?;
        }
    }

    fn field(&mut self) -> Option<(Option<String>, Json)> {
        let name = self.string()?;
        self.skip_blanks();
        self.take(':')?;
        self.skip_blanks();
        Some((name, self.value()?))
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        word.chars().try_for_each(|c| self.take(c)).map(|()| value)
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.rest.peek()?.0;
        let _ = self.take('-');
        if self.take('0').is_none() {
            self.digits()?;
        }
        if self.take('.').is_some() {
            self.digits()?;
        }
        if self.rest.next_if(|(_, c)| matches!(c, 'e' | 'E')).is_some() {
            let _ = self.rest.next_if(|(_, c)| matches!(c, '+' | '-'));
            self.digits()?;
        }
        let end = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        Some(Json::Number(self.text[start..end].to_owned()))
    }

    fn digits(&mut self) -> Option<()> {
        self.rest.next_if(|(_, c)| c.is_ascii_digit())?;
        while self.rest.next_if(|(_, c)| c.is_ascii_digit()).is_some() {}
        Some(())
    }

    /// The outer none: not a string. The inner one: one that is not text.
    fn string(&mut self) -> Option<Option<String>> {
        self.take('"')?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            match self.rest.next()?.1 {
                '"' => return Some(String::from_utf16(&units).ok()),
                '\\' => units.push(self.escape()?),
                c if c < ' ' => return None,
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        Some(match self.rest.next()?.1 {
            'b' => 8,
            't' => 9,
            'n' => 10,
            'f' => 12,
            'r' => 13,
            'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit * 16 + u16::try_from(self.rest.next()?.1.to_digit(16)?).ok()?;
                }
                unit
            }
            c @ ('"' | '\\' | '/') => u16::try_from(u32::from(c)).ok()?,
            _ => return None,
        })
    }
}
