//! Hostile requests: bodies whose length is broken, unknown, or read differently by two servers; several requests on
//! one connection; deliveries that are cut.
//!
//! Where the answer is one of several, RFC 9112 leaves the choice to the server.

use crate::harness::header;
use crate::hostile::{Answer, CLOSED, Case, MARKER, Stored, event, head_of, post};

const OK: &[u16] = &[200];
const BAD: &[u16] = &[400];
const BROKEN: &[u16] = &[400, CLOSED];
const NOT_FOUND: &[u16] = &[404];
const EITHER: &[u16] = &[200, 400];

/// A request among others, and its answers.
type Request = (Vec<u8>, Answer);

pub fn framings() -> Vec<Case> {
    [lengths(), chunks(), smuggled(), pipelined(), cut()].into_iter().flatten().collect()
}

/// Both ends of what an announced length can be.
fn lengths() -> Vec<Case> {
    let length = |name: &str, line: &str, statuses| {
        let body = event(&format!("evt length {name}"));
        let right = body.len().to_string();
        let line = line.replace("RIGHT", &right);
        let bytes = format!("{}{line}\r\n{body}", head_of(&body, ""));
        Case::delivery(format!("length {name}"), bytes, statuses, &body)
    };
    let mut cases = vec![
        length("with a zero before", "Content-Length: 0RIGHT\r\n", EITHER),
        length("with blanks around", "Content-Length:  RIGHT \t\r\n", OK),
        length("twice, equal", "Content-Length: RIGHT\r\nContent-Length: RIGHT\r\n", EITHER),
        // No such body ever comes: it is refused by its announcement.
        length("too large by a byte", "Content-Length: 1048577\r\n", &[413]),
        length("of 63 bits", "Content-Length: 9223372036854775807\r\n", &[413, 400]),
        length("of 64 bits", "Content-Length: 18446744073709551614\r\n", &[400, 413, 431]),
    ];
    let broken = [
        "-1",
        "-0",
        "+RIGHT",
        "RIGHT,RIGHT",
        "RIGHT, 1",
        "1 RIGHT",
        "0x10",
        "1e3",
        "RIGHT.0",
        "",
        " ",
        "x",
        "RIGHTx",
        "\"RIGHT\"",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "1_0",
        "١",
        "RIGHT;",
        "\0RIGHT",
    ];
    for value in broken {
        // Equal values in one line may be read as one.
        let statuses = if value == "RIGHT,RIGHT" { EITHER } else { &[400, 413, 431, CLOSED] };
        cases.push(length(&format!("{value:?}"), &format!("Content-Length: {value}\r\n"), statuses));
    }
    cases.push(length("twice, different", "Content-Length: RIGHT\r\nContent-Length: 1\r\n", BROKEN));
    cases.push(length("twice, the last right", "Content-Length: 1\r\nContent-Length: RIGHT\r\n", BROKEN));
    let empty = format!("{}Content-Length: 0\r\n\r\n", head_of("", ""));
    cases.push(Case::refused("length 0", empty, BAD));
    cases.push(Case::refused("no length", format!("{}\r\n", head_of("", "")), BAD));
    let announced = format!("{}Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", head_of("", ""));
    cases.push(Case::refused("too much announced by who waits", announced, &[413]));
    cases
}

/// A right delivery in chunks, which `write` writes, with its trailers and end.
fn chunked(name: &str, statuses: &'static [u16], write: impl Fn(&str) -> String) -> Case {
    let body = event(&format!("evt chunks {name}"));
    let bytes = format!("{}{}", head_of(&body, "Transfer-Encoding: chunked\r\n\r\n"), write(&body));
    Case::delivery(format!("chunks {name}"), bytes, statuses, &body)
}

fn chunks() -> Vec<Case> {
    let one = |body: &str, size: &str, rest: &str| format!("{size}\r\n{body}\r\n{rest}");
    let hex = |body: &str| format!("{:x}", body.len());
    let end = "0\r\n\r\n";
    let mut cases = vec![
        chunked("one", OK, |body| one(body, &hex(body), end)),
        chunked("in upper case", OK, |body| one(body, &hex(body).to_uppercase(), end)),
        chunked("with zeros before the size", OK, |body| one(body, &format!("0000{}", hex(body)), end)),
        chunked("of one byte", OK, |body| body.chars().map(|c| one(&c.to_string(), "1", "")).collect::<String>() + end),
        chunked("with an extension", OK, |body| one(body, &format!("{};a=b", hex(body)), end)),
        chunked("with a quoted extension", OK, |body| one(body, &format!("{};a=\"b;c\"", hex(body)), end)),
        chunked("with a blank behind the size", EITHER, |body| one(body, &format!("{} ", hex(body)), end)),
        chunked("with long extensions", BROKEN, |body| {
            one(body, &format!("{};{}", hex(body), "a".repeat(20_000)), end)
        }),
        chunked("with a trailer", OK, |body| one(body, &hex(body), "0\r\nX: y\r\n\r\n")),
        chunked("with a signature as trailer", OK, |body| {
            one(body, &hex(body), "0\r\nStripe-Signature: t=1,v1=00\r\nContent-Length: 1\r\n\r\n")
        }),
        chunked("with 20,000 trailers", BROKEN, |body| {
            one(body, &hex(body), &format!("0\r\n{}\r\n", "X: y\r\n".repeat(20_000)))
        }),
        chunked("with a broken trailer", EITHER, |body| one(body, &hex(body), "0\r\nX y\r\n\r\n")),
        chunked("with line feeds alone", BROKEN, |body| one(body, &hex(body), end).replace("\r\n", "\n")),
        chunked("larger than said", BROKEN, |body| one(body, "5", end)),
        chunked("with no line break behind", BROKEN, |body| format!("{}\r\n{body}{end}", hex(body))),
    ];
    let sizes = [
        "",
        "g",
        "-1",
        "+5",
        "0x5",
        " 5",
        "5g",
        ";a",
        "\"5\"",
        "1 0",
        "10000000000000000",
        "ffffffffffffffff1",
        "٥",
        "\0",
    ];
    cases.extend(sizes.map(|size| chunked(&format!("of size {size:?}"), BROKEN, |body| one(body, size, end))));
    for size in ["7fffffffffffffff", "ffffffffffffffff", "100001"] {
        cases.push(chunked(&format!("of size {size}, never sent"), BROKEN, |body| one(body, size, end)).ended());
    }
    let kib = format!("400\r\n{}\r\n", "x".repeat(1024));
    cases.push(chunked("longer than allowed", &[413], |_| kib.repeat(1025) + end));
    cases.push(chunked("without an end", BROKEN, |body| one(body, &hex(body), "")).ended());
    let only = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nStripe-Signature: {}\r\n\r\n",
        header("{}")
    );
    cases.push(Case::refused("a signature in the trailers only", only, BAD));
    cases
}

/// Requests whose end two servers could see in different places: hidden in each is another request, which must not be
/// answered.
fn smuggled() -> Vec<Case> {
    let hidden = format!("GET /{MARKER} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut cases = Vec::new();
    let encodings = [
        ("chunked", "Transfer-Encoding: chunked\r\n"),
        ("in upper case", "Transfer-Encoding: CHUNKED\r\n"),
        ("behind a tab", "Transfer-Encoding:\tchunked\r\n"),
        ("behind gzip", "Transfer-Encoding: gzip, chunked\r\n"),
        ("behind gzip on a line of its own", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
    ];
    for (name, encoding) in encodings {
        for length_is_first in [true, false] {
            let body = event(&format!("evt te {name} {length_is_first}"));
            let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            let length = format!("Content-Length: {}\r\n", chunk.len() + hidden.len());
            let lines =
                if length_is_first { format!("{length}{encoding}\r\n") } else { format!("{encoding}{length}\r\n") };
            let bytes = format!("{}{chunk}{hidden}", head_of(&body, &lines));
            let name = format!("length and encoding {name}, length first: {length_is_first}");
            // The chunks count, and the connection is closed behind them: what is hidden gets no answer (RFC 9112, 6.1).
            cases.push(Case::delivery(name, bytes, OK, &body));
        }
    }
    let not_chunked = [
        "xchunked",
        "chunked, identity",
        "identity",
        "chunked, gzip",
        "gzip",
        "\"chunked\"",
        "chunked;q=1",
        "chun ked",
        "chunkedx",
        "\x0bchunked",
        "chunked\0",
        "cow",
        "",
        ",",
    ];
    for value in not_chunked {
        let body = event(&format!("evt encoding {value:?}"));
        let head = head_of(&body, &format!("Transfer-Encoding: {value}\r\nContent-Length: {}\r\n\r\n", body.len()));
        cases.push(Case::delivery(format!("encoding {value:?}"), format!("{head}{body}"), BROKEN, &body));
    }
    for line in [
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer\0Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
    ] {
        let body = event("evt_hidden_line");
        let bytes = format!("{}5\r\n{hidden}", head_of(&body, &format!("{line}\r\nContent-Length: 3\r\n\r\n")));
        cases.push(Case::refused(format!("hidden line {line:?}"), bytes, BROKEN));
    }
    let get = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
    cases.push(Case::refused("a GET with a request as body", get, OK));
    let double =
        "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    cases.push(Case::refused("chunked twice", double, &[200, 400, CLOSED]));
    cases
}

fn pipelined() -> Vec<Case> {
    let delivery = |id: &str| {
        let body = event(id);
        let bytes = post(&format!("Stripe-Signature: {}\r\n", header(&body)), &body);
        (bytes, Answer { statuses: OK, stores: Some(Stored { body, state: "ignored" }) })
    };
    let other = |bytes: &str, statuses| (bytes.as_bytes().to_vec(), Answer { statuses, stores: None });
    let get = || other("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", OK);
    let several: [(&str, Vec<Request>); 6] = [
        ("fifty probes", std::iter::repeat_with(get).take(50).collect()),
        ("twenty deliveries", (0..20).map(|n| delivery(&format!("evt_piped_{n}"))).collect()),
        ("a delivery between probes", vec![get(), delivery("evt_between"), get()]),
        (
            "a delivery behind a forgery",
            vec![(post("Stripe-Signature: t=1,v1=00\r\n", "{}"), other("", BAD).1), delivery("evt_behind")],
        ),
        ("a delivery before noise", vec![delivery("evt_before_noise"), other("\x01\x02\r\n\r\n", BROKEN)]),
        (
            "a delivery behind an unknown path with a body",
            vec![
                other("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nGET", NOT_FOUND),
                delivery("evt_behind_unknown"),
            ],
        ),
    ];
    let case = |(name, requests): (&str, Vec<Request>)| {
        let (bytes, answers): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        Case { name: format!("pipelined: {name}"), bytes: bytes.concat(), ends: false, answers }
    };
    several.into_iter().map(case).collect()
}

/// A right delivery that ends after each twelfth of its bytes.
fn cut() -> Vec<Case> {
    let body = event("evt_cut");
    let whole = post(&format!("Stripe-Signature: {}\r\n", header(&body)), &body);
    let places = (0..whole.len()).step_by(whole.len() / 12).chain([whole.len() - 1]);
    places.map(|at| Case::refused(format!("cut after {at} bytes"), &whole[..at], BROKEN).ended()).collect()
}
