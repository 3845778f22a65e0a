//! The image: what it is made of and what it runs.

use super::*;

#[test]
fn is_built_by_the_toolchain_that_the_package_asks_for() {
    let file = text("Dockerfile");
    assert!(file.contains(concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-slim-bookworm AS build")));
    assert!(file.contains(concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn holds_nothing_but_what_it_copies_and_runs_as_nobody() {
    let file = text("Dockerfile");
    let (_, last) = file.rsplit_once("\nFROM ").expect("two stages");
    assert!(last.starts_with("scratch\n"));
    assert!(!last.contains("\nRUN "));
    for line in [
        "USER 65532:65532",
        "EXPOSE 8080",
        "ENTRYPOINT [\"/clawback\"]",
        "CMD [\"serve\"]",
        "COPY --from=build /image /",
    ] {
        assert!(last.lines().any(|found| found == line), "{line}");
    }
    assert!(last.contains("CMD [\"/clawback\", \"healthcheck\"]"), "no shell is there to run a health check");
}

#[test]
fn says_which_crates_were_built_in() {
    let file = text("Dockerfile");
    assert!(file.contains("cargo-cyclonedx cyclonedx --all --no-build-deps"));
    assert!(file.contains("install -m 644 sbom.json /image/sbom.json"));
}

#[test]
fn needs_nothing_that_older_builders_lack() {
    let file = text("Dockerfile");
    assert!(!file.contains("<<") && !file.contains("--link"));
}

#[test]
fn sees_only_what_the_build_reads() {
    let file = text(".dockerignore");
    let lines: Vec<_> = file.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*");
    assert!(lines[1..].iter().all(|line| line.strip_prefix('!').is_some_and(|path| root().join(path).exists())));
}
