//! What somebody just did to a draft, as the address of the page of evidence says it. Pure.
//!
//! Only a word of a fixed list is shown: an address cannot make the page say anything else.

use maud::{Markup, html};

use crate::console::parts::to;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Done {
    Saved,
    Unchanged,
    Attached,
    Removed,
    FilledIn,
    NothingFound,
}

impl Done {
    /// The page of evidence of a dispute, which says that this was done.
    pub(super) fn path(self, id: &str) -> String {
        let word: &str = self.into();
        format!("{}/evidence?did={word}", to("/disputes/", id))
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Saved => "The draft is saved. Nothing is submitted yet.",
            Self::Unchanged => "Nothing was changed.",
            Self::Attached => "The file is attached. Nothing is submitted yet.",
            Self::Removed => "The file is removed.",
            Self::FilledIn => "The draft is filled in. Read it before you submit it.",
            Self::NothingFound => "Nothing is known that is not in the draft.",
        }
    }

    /// At the top of the page. It is read out.
    pub(super) fn shown(self) -> Markup {
        html! { div.note.good role="status" { p { (self.sentence()) } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_what_was_done_and_nothing_else_is_shown() {
        for (done, word) in [(Done::Saved, "saved"), (Done::FilledIn, "filled-in")] {
            assert_eq!(done.path("du/1"), format!("~/disputes/du%2F1/evidence?did={word}"));
            assert_eq!(word.parse(), Ok(done));
        }
        assert!("submitted".parse::<Done>().is_err());
    }
}
