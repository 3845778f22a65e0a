//! Errors of the argument parser, on one line like all others.

/// What the parsers of numbers say, and what people say.
const PLAIN: [(&str, &str); 3] = [
    ("invalid digit found in string", "it must be a whole number"),
    ("number too large to fit in target type", "the number is too large"),
    ("cannot parse integer from empty string", "it must be a whole number"),
];

/// The first paragraph and the tips, such as the name that was probably meant; and for anything but a wrong value which
/// help to read.
pub(super) fn one_line(error: &str) -> String {
    let mut line = String::new();
    for paragraph in error.split("\n\n").map(joined) {
        if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            if !line.starts_with("invalid value") {
                line += &format!("; see `{} --help`", command(usage));
            }
        } else if !paragraph.starts_with("For more information") {
            line += if line.is_empty() { "" } else { "; " };
            line += paragraph.trim_start_matches("error: ").trim_start_matches("tip: ");
        }
    }
    PLAIN.iter().fold(line, |line, (parser, plain)| line.replace(parser, plain))
}

fn joined(paragraph: &str) -> String {
    paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The command of a usage line, without its arguments.
fn command(usage: &str) -> String {
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    usage.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_error_is_one_line_with_its_tip_and_the_help_to_read() {
        for (error, line) in [
            (
                "error: invalid value 'x' for '--limit <LIMIT>': invalid digit found in string\n\nFor more information, try '--help'.\n",
                "invalid value 'x' for '--limit <LIMIT>': it must be a whole number",
            ),
            (
                "error: unexpected argument '--stat' found\n\n  tip: a similar argument exists: '--state'\n\nUsage: clawback events list --state <STATE>\n\nFor more information, try '--help'.\n",
                "unexpected argument '--stat' found; a similar argument exists: '--state'; see `clawback events list --help`",
            ),
        ] {
            assert_eq!(one_line(error), line);
        }
    }
}
