//! The parameters of a request: form pairs as a tree, taken one by one so that what is left over is unknown.

use indexmap::IndexMap;

use super::refusal::Refusal;
use crate::dev::model::objects::Metadata;

/// Parameters that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Params {
    nodes: IndexMap<String, Node>,
    /// What the names are below, such as `evidence`; empty at the top.
    within: String,
}

#[derive(Debug)]
enum Node {
    Text(String),
    Tree(IndexMap<String, Node>),
}

/// What is to become of metadata.
#[derive(Debug)]
pub(super) enum MetadataChange {
    /// Not mentioned.
    Keep,
    /// An empty string removes all.
    Clear,
    /// Keys to set; an empty value removes a key.
    Merge(Vec<(String, String)>),
}

impl MetadataChange {
    pub(super) fn apply(self, mut metadata: Metadata) -> Metadata {
        match self {
            Self::Keep => metadata,
            Self::Clear => Metadata::new(),
            Self::Merge(pairs) => {
                for (key, value) in pairs {
                    if value.is_empty() {
                        metadata.remove(&key)
                    } else {
                        metadata.insert(key, value)
                    };
                }
                metadata
            }
        }
    }
}

impl Params {
    /// Reads decoded pairs such as `metadata[order]` and `expand[]` or `expand[0]`.
    pub(super) fn read(pairs: &[(String, String)]) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            let (first, rest) = name.split_once('[').unwrap_or((name, ""));
            let keys = rest.trim_end_matches(']').split("][").filter(|_| !rest.is_empty());
            insert(&mut params.nodes, first, keys, value);
        }
        params
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A text, if it was given.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.nodes.shift_remove(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(Node::Tree(_)) => Err(self.bad("", name, "Invalid string")),
        }
    }

    /// One of these words, if any was given.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == text);
        let message = || self.bad("", name, &format!("Invalid {name}: must be one of {}", words.join(", ")));
        known.map(|word| Some(*word)).ok_or_else(message)
    }

    /// A whole number above 0, if one was given.
    pub(super) fn positive(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let number = self.integer(name)?;
        match number {
            Some(number) if number < 1 => {
                Err(self.bad("parameter_invalid_integer", name, "This value must be greater than or equal to 1."))
            }
            other => Ok(other),
        }
    }

    /// A whole number, if one was given.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().map(Some);
        number.map_err(|_| self.bad("parameter_invalid_integer", name, &format!("Invalid integer: {text}")))
    }

    /// `true` or `false`, if either was given.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        Ok(self.word(name, &["true", "false"])?.map(|word| word == "true"))
    }

    /// Each entry of a list.
    pub(super) fn list(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        let nodes = match self.nodes.shift_remove(name) {
            None => return Ok(Vec::new()),
            Some(Node::Tree(nodes)) => nodes,
            Some(Node::Text(_)) => return Err(self.bad("", name, "Invalid array")),
        };
        let texts = nodes.into_values().map(|node| match node {
            Node::Text(text) => Ok(text),
            Node::Tree(_) => Err(self.bad("", name, "Invalid array")),
        });
        texts.collect()
    }

    /// The parameters below a name. An empty text stands for none.
    pub(super) fn below(&mut self, name: &str) -> Result<Self, Refusal> {
        let within = self.full(name);
        match self.nodes.shift_remove(name) {
            None => Ok(Self { within, ..Self::default() }),
            Some(Node::Tree(nodes)) => Ok(Self { nodes, within }),
            Some(Node::Text(text)) if text.is_empty() => Ok(Self { within, ..Self::default() }),
            Some(Node::Text(_)) => Err(self.bad("", name, "Invalid object")),
        }
    }

    /// Whether a name was given, as text or with names below it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.nodes.contains_key(name)
    }

    /// Whether a name was given as a tree.
    pub(super) fn is_tree(&self, name: &str) -> bool {
        matches!(self.nodes.get(name), Some(Node::Tree(_)))
    }

    /// The names that were not taken yet.
    pub(super) fn names(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    /// Stripe's limits: 50 keys, names of 40 characters, values of 500.
    pub(super) fn metadata(&mut self) -> Result<MetadataChange, Refusal> {
        match self.nodes.get("metadata") {
            None => return Ok(MetadataChange::Keep),
            Some(Node::Text(text)) if text.is_empty() => {
                self.nodes.shift_remove("metadata");
                return Ok(MetadataChange::Clear);
            }
            Some(_) => {}
        }
        let mut below = self.below("metadata")?;
        let mut pairs = Vec::new();
        for key in below.names() {
            let value = below.text(&key)?.unwrap_or_default();
            if key.chars().count() > 40 || value.chars().count() > 500 || pairs.len() == 50 {
                return Err(below.bad("", &key, "Metadata takes 50 keys of up to 40 characters with up to 500 each"));
            }
            pairs.push((key, value));
        }
        Ok(MetadataChange::Merge(pairs))
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.nodes.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name = self.full(name);
                Err(Refusal::invalid("parameter_unknown", &name, format!("Received unknown parameter: {name}")))
            }
        }
    }

    /// A refusal of one of the parameters.
    pub(super) fn bad(&self, code: &str, name: &str, message: &str) -> Refusal {
        Refusal::invalid(code, &self.full(name), message)
    }

    fn full(&self, name: &str) -> String {
        if self.within.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.within) }
    }
}

fn insert<'a>(nodes: &mut IndexMap<String, Node>, key: &str, mut rest: impl Iterator<Item = &'a str>, value: &str) {
    // `[]` appends.
    let key = if key.is_empty() { nodes.len().to_string() } else { key.to_owned() };
    let Some(next) = rest.next() else {
        nodes.insert(key, Node::Text(value.to_owned()));
        return;
    };
    let node = nodes.entry(key).or_insert_with(|| Node::Tree(IndexMap::new()));
    if let Node::Text(_) = node {
        *node = Node::Tree(IndexMap::new());
    }
    let Node::Tree(below) = node else { return };
    let rest: &mut dyn Iterator<Item = &'a str> = &mut rest;
    insert(below, next, rest, value);
}
