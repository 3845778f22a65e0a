//! Promise: the console lets in only whom it knows, acts only for its own pages, and answers only at its own address.

use clawback::console::password::Hash;
use clawback::console::routes;
use clawback::console::settings::Entry;
use clawback::console::users::{Recognition, Users};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::console_client::{Answer, Console, hidden};
use crate::harness::Database;

const PASSWORD: &str = "correct horse battery";

async fn with_password(db: &Database) -> Console {
    let hash = Hash::of(PASSWORD, [7; 16]).expect("a hash");
    let users = format!("anna read,respond {}\n", hash.expose());
    Console::open_with(db, |settings| settings.users = Users::parse(&users, Recognition::Password).expect("users"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_password_and_out_again() {
    let db = Database::migrated().await;
    let console = with_password(&db).await;
    let nobody = console.nobody();
    assert_eq!(nobody.get("/disputes?status=lost").await.location(), "/login?next=%2Fdisputes%3Fstatus%3Dlost");
    let form = [("name", "anna"), ("password", PASSWORD), ("next", "/disputes?status=lost")];
    let entered = nobody.post("/login", &form).await;
    assert_eq!(entered.location(), "/disputes?status=lost");
    let cookie = entered.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"), "{cookie}");
    let mut anna = nobody.clone();
    anna.cookie = cookie.split(';').next().map(str::to_owned);
    assert!(anna.page("/disputes").await.contains("anna"));
    let left = anna.post("/logout", &[]).await;
    assert_eq!(left.location(), "/login");
    assert_eq!(anna.get("/disputes").await.status, StatusCode::SEE_OTHER, "the token is worth nothing any more");
    let done = db.rows("select actor, via, action from clawback_v1.actions order by id").await;
    let by_anna = |action: &str| json!({ "actor": "anna", "via": "console", "action": action });
    assert_eq!(done, [by_anna("log_in"), by_anna("log_out")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer_and_soon_none() {
    let db = Database::migrated().await;
    let console = with_password(&db).await;
    let nobody = console.nobody();
    let mut said = Vec::new();
    for name in ["anna", "nobody"] {
        let refused = nobody.post("/login", &[("name", name), ("password", "wrong password")]).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        said.push(refused.body);
    }
    let without_clock = |body: &String| body.split("As of").next().map(str::to_owned);
    assert_eq!(without_clock(&said[0]), without_clock(&said[1]));
    for _ in 0..4 {
        nobody.post("/login", &[("name", "anna"), ("password", "wrong password")]).await;
    }
    let throttled = nobody.post("/login", &[("name", "anna"), ("password", PASSWORD)]).await;
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS, "the right one would not do either");
    let refused = db.value("select count(*) from clawback_v1.actions where action = 'log_in_refused'").await;
    assert_eq!(refused, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_after_the_session_ended_is_kept_and_can_be_sent_again() {
    let db = Database::migrated().await;
    let console = with_password(&db).await;
    let route = routes().into_iter().find(|route| route.method == Method::POST).expect("an action");
    let path = route.path.replace("{id}", "1");
    let asked = console.nobody().post(&path, &[("text", "long & \"typed\" <text>")]).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let (unsent_path, unsent_body) = (hidden(&asked.body, "unsent_path"), hidden(&asked.body, "unsent_body"));
    let form = [
        ("name", "anna"),
        ("password", PASSWORD),
        ("unsent_path", unsent_path.as_str()),
        ("unsent_body", unsent_body.as_str()),
    ];
    let entered = console.nobody().post("/login", &form).await;
    assert_eq!(entered.status, StatusCode::OK);
    assert!(entered.body.contains(&format!("action=\"{path}\"")), "{}", entered.body);
    assert_eq!(hidden(&entered.body, "text"), "long & \"typed\" <text>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_from_a_page_of_the_console_only() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    let own = console.url.clone();
    let sent = async |headers: &[(&str, &str)]| {
        let form = boss.form("/logout-not", &[]);
        let request = headers.iter().fold(form, |request, (name, value)| request.header(*name, *value));
        Answer::of(request).await.status
    };
    let not_found = StatusCode::NOT_FOUND;
    for (headers, status) in [
        (vec![("Sec-Fetch-Site", "same-origin"), ("Origin", own.as_str())], not_found),
        (vec![("Sec-Fetch-Site", "none")], not_found),
        // Plain http on a name that is no loopback address: browsers send no Sec-Fetch-Site.
        (vec![("Origin", own.as_str())], not_found),
        (vec![("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")], StatusCode::FORBIDDEN),
        (vec![("Sec-Fetch-Site", "same-site"), ("Origin", "http://127.0.0.1:1")], StatusCode::FORBIDDEN),
        (vec![("Origin", "null")], StatusCode::FORBIDDEN),
        (vec![("Origin", "https://evil.example")], StatusCode::FORBIDDEN),
        // No browser does that.
        (vec![], StatusCode::FORBIDDEN),
    ] {
        assert_eq!(sent(&headers).await, status, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_is_misdirected() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let port = console.url.rsplit_once(':').expect("a port").1.to_owned();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), StatusCode::OK),
        (format!("LocalHost:{port}"), StatusCode::OK),
        (format!("evil.example:{port}"), StatusCode::MISDIRECTED_REQUEST),
        (format!("127.0.0.1.evil.example:{port}"), StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1:1".to_owned(), StatusCode::MISDIRECTED_REQUEST),
    ] {
        let answer = Answer::of(console.nobody().request(Method::GET, "/login").header("Host", &host)).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers_that_keep_a_browser_safe() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    let page = boss.page("/disputes").await;
    let style = page.split("href=\"").find_map(|rest| rest.split('"').next().filter(|path| path.ends_with(".css")));
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for path in ["/disputes", "/nowhere", "/login", style.expect("a stylesheet")] {
        for visitor in [&boss, &console.nobody()] {
            let answer = visitor.get(path).await;
            assert_eq!(answer.header("content-security-policy"), policy, "{path}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), value, "{path}");
            }
            let kept = answer.header("cache-control");
            let is_file = path.ends_with(".css");
            assert_eq!(kept, if is_file { "public, max-age=31536000, immutable" } else { "no-store" }, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_believed_at_its_address_only_and_with_one_known_name() {
    let db = Database::migrated().await;
    let proxied = async |network: &str| {
        let trusted = vec![network.parse().expect("a network")];
        let header = "x-forwarded-email".parse().expect("a name");
        Console::open_with(&db, |settings| settings.entry = Entry::Proxy { header, trusted }).await
    };
    let console = proxied("127.0.0.0/8").await;
    let asked = async |console: &Console, headers: &[(&str, &str)]| {
        let request = console.nobody().request(Method::GET, "/disputes");
        Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await.status
    };
    let long = "x".repeat(256);
    for (headers, status) in [
        (vec![("X-Forwarded-Email", "boss")], StatusCode::OK),
        (vec![("X-Forwarded-Email", "stranger")], StatusCode::FORBIDDEN),
        (vec![("X-Forwarded-Email", "")], StatusCode::UNAUTHORIZED),
        (vec![("X-Forwarded-Email", "boss"), ("X-Forwarded-Email", "reader")], StatusCode::UNAUTHORIZED),
        (vec![("X-Forwarded-Email", long.as_str())], StatusCode::UNAUTHORIZED),
        (vec![], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(asked(&console, &headers).await, status, "{headers:?}");
    }
    let elsewhere = proxied("10.0.0.0/8").await;
    let forged = [("X-Forwarded-Email", "boss"), ("X-Forwarded-For", "10.0.0.1")];
    assert_eq!(asked(&elsewhere, &forged).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_prefix_every_address_carries_it() {
    let db = Database::migrated().await;
    let console = Console::open_with(&db, |settings| settings.url.prefix = "/clawback".to_owned()).await;
    let boss = console.visitor(&db, "boss").await;
    let page = boss.page("/disputes").await;
    assert!(page.contains("href=\"/clawback/disputes\"") && !page.contains("=\"~/"), "{page}");
    assert_eq!(console.nobody().get("/disputes").await.location(), "/clawback/login?next=%2Fdisputes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_typed_is_shown_as_it_is_even_if_it_looks_like_a_path() {
    let db = Database::migrated().await;
    let console = Console::open_with(&db, |settings| settings.url.prefix = "/clawback".to_owned()).await;
    let boss = console.visitor(&db, "boss").await;
    let page = boss.page("/disputes?order=~%2F77").await;
    assert!(page.contains("value=\"~/77\"") && page.contains("href=\"/clawback/orders\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_other_applications_do_not_end_a_session() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    let own = boss.cookie.clone().expect("a cookie");
    for before in [&b"other=\xff\xfe; "[..], b"clawback=of-another-path; ", b"clawback=; clawback=a; "] {
        let cookie = reqwest::header::HeaderValue::from_bytes(&[before, own.as_bytes()].concat()).expect("a header");
        let mut stranger = console.nobody();
        stranger.cookie = None;
        let request = stranger.request(Method::GET, "/disputes").header("Cookie", cookie);
        assert_eq!(Answer::of(request).await.status, StatusCode::OK, "{before:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_looks_at_does_not_keep_its_session() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    let ago = "update clawback.console_sessions set seen_at = now() - interval '20 minutes'";
    db.execute(ago).await;
    let is_old = "select seen_at < now() - interval '10 minutes' from clawback.console_sessions";
    let refresh = boss.request(Method::GET, "/disputes").header("X-Console-Refresh", "1");
    assert_eq!(Answer::of(refresh).await.status, StatusCode::OK);
    assert_eq!(db.value(is_old).await, true);
    boss.page("/disputes").await;
    assert_eq!(db.value(is_old).await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_send_slowly_keep_nobody_busy_who_is_logged_in() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    let address = console.url.trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 1000\r\n\r\nname=a",
        console.url
    );
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        slow.push(stream);
    }
    // If they held the slots, it would be refused as too busy.
    boss.page("/disputes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_nowhere_has_the_frame_of_whoever_asks() {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    let answer = console.visitor(&db, "boss").await.get("/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("boss") && answer.body.contains("href=\"/disputes\""), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_character_is_refused_in_our_own_words() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["invalid byte sequence"]);
    let console = Console::open(&db).await;
    let boss = console.visitor(&db, "boss").await;
    for path in ["/disputes/%00", "/orders?id=%00", "/find?q=%00", "/events/%00", "/disputes?order=%00"] {
        let answer = boss.get(path).await;
        assert!(
            answer.status == StatusCode::BAD_REQUEST || answer.status == StatusCode::NOT_FOUND,
            "{path}: {}",
            answer.status
        );
        assert!(!answer.body.contains("byte sequence"), "{path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let db = Database::migrated().await;
    let file = std::env::temp_dir().join(format!("users-{}", db.name));
    let line = |password| format!("anna read {}\n", Hash::of(password, [7; 16]).expect("a hash").expose());
    std::fs::write(&file, line(PASSWORD)).expect("a file");
    let console = Console::open_with(&db, |settings| {
        settings.users = Users::in_file(&file, Recognition::Password).expect("users");
    })
    .await;
    let entered = console.nobody().post("/login", &[("name", "anna"), ("password", PASSWORD)]).await;
    let mut anna = console.nobody();
    anna.cookie = entered.header("set-cookie").split(';').next().map(str::to_owned);
    anna.page("/disputes").await;
    std::fs::write(&file, line("another long password")).expect("a file");
    assert_eq!(anna.get("/disputes").await.location(), "/login?next=%2Fdisputes");
    std::fs::remove_file(&file).expect("it is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_draft_is_kept_over_a_log_in() {
    let db = Database::migrated().await;
    let console = with_password(&db).await;
    let path = "/disputes/du_1/evidence";
    let long = "あ".repeat(150_000);
    let asked = console.nobody().post(path, &[("text.uncategorized_text", &long)]).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let unsent_body = hidden(&asked.body, "unsent_body");
    let form = [("name", "anna"), ("password", PASSWORD), ("unsent_path", path), ("unsent_body", &unsent_body)];
    let entered = console.nobody().post("/login", &form).await;
    assert_eq!(entered.status, StatusCode::OK);
    assert_eq!(hidden(&entered.body, "text.uncategorized_text"), long);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_as_the_name_of_nobody_is_not_recorded() {
    let db = Database::migrated().await;
    let console = with_password(&db).await;
    for name in ["anna", "my secret password"] {
        console.nobody().post("/login", &[("name", name), ("password", "wrong password")]).await;
    }
    let recorded = db.rows("select subject from clawback_v1.actions order by id").await;
    assert_eq!(recorded, [json!({ "subject": "anna" }), json!({ "subject": "unknown name" })]);
}
