//! A browser for one test: its own chromedriver on a free loopback port, a fresh profile, both gone afterwards.
//!
//! The verbs panic on failure. Those that wait do so for a condition, never for a time.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel, TypingData};
use tokio::time::{interval, timeout};

/// Longer than anything takes on a slow machine; each wait ends as soon as its condition holds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the browser seems to be: not in UTC, so that local times differ.
pub const ZONE: &str = "Europe/Berlin";

/// Of Chromium.
const ARGUMENTS: [&str; 11] = [
    "--headless=new",
    // Chromium refuses to run as root with its sandbox.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en",
];

static PROFILES: AtomicU32 = AtomicU32::new(0);

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// Light or dark, as the person prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// A running browser with one tab.
pub struct Browser {
    driver: Option<WebDriver>,
    client: reqwest::Client,
    address: String,
    chromedriver: Child,
    /// Kept open, since chromedriver writes to it.
    _output: BufReader<ChildStdout>,
    profile: PathBuf,
}

impl Browser {
    /// A browser that runs scripts. None where there is no Chromium, which is said on stderr.
    ///
    /// # Panics
    /// In CI, where there has to be one.
    pub async fn start() -> Option<Self> {
        Self::start_with(Scripts::On).await
    }

    /// The same, with or without scripts.
    pub async fn start_with(scripts: Scripts) -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) = (found("chromium"), found("chromedriver")) else {
            eprintln!("not checked: the console in a browser, because chromium or chromedriver is missing");
            assert!(env::var("CI").as_deref() != Ok("true"), "in CI there is a browser");
            return None;
        };
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile =
            env::temp_dir().join(format!("clawback-browser-{}-{}", id(), PROFILES.fetch_add(1, Ordering::Relaxed)));
        let (child, output, address) = run(&chromedriver);
        let capabilities = capabilities(&chromium, &profile, scripts).expect("capabilities");
        let driver = WebDriver::new(format!("http://{address}"), capabilities).await.expect("a session");
        driver.set_script_timeout(PATIENCE).await.expect("a longer wait");
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        Some(Self { driver: Some(driver), client, address, chromedriver: child, _output: output, profile })
    }

    /// The driver, for what has no verb here.
    pub fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("the browser runs")
    }

    pub async fn open(&self, url: &str) {
        self.driver().goto(url).await.expect(url);
    }

    /// Another page of the same origin.
    pub async fn open_path(&self, path: &str) {
        let url = self.driver().current_url().await.expect("an address");
        self.open(url.join(path).expect(path).as_str()).await;
    }

    /// The address that is shown, without scheme and host.
    pub async fn path(&self) -> String {
        let url = self.driver().current_url().await.expect("an address");
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// The first element of a selector. Waits until it is there.
    pub async fn find(&self, selector: &str) -> WebElement {
        self.until_found(selector).await;
        self.driver().find(By::Css(selector)).await.expect(selector)
    }

    pub async fn until_found(&self, selector: &str) {
        self.until(&format!("document.querySelector({}) !== null", json!(selector))).await;
    }

    /// Does something with the first element of a selector. Where a refresh of the page replaced the element
    /// in between, nothing was done, and its successor is taken.
    async fn with<T>(&self, selector: &str, act: impl AsyncFn(WebElement) -> WebDriverResult<T>) -> T {
        loop {
            match act(self.find(selector).await).await {
                Err(error) if matches!(*error, WebDriverErrorInner::StaleElementReference(_)) => {}
                done => return done.expect(selector),
            }
        }
    }

    pub async fn click(&self, selector: &str) {
        self.with(selector, async |element| element.click().await).await;
    }

    /// Clicks the first link or button with this text.
    pub async fn click_text(&self, text: &str) {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()={}]", json!(text));
        let element = self.driver().find(By::XPath(path)).await.expect(text);
        element.click().await.expect(text);
    }

    /// Clicks twice, as an impatient person does.
    pub async fn double_click(&self, selector: &str) {
        let twice = async |element| self.driver().action_chain().double_click_element(&element).perform().await;
        self.with(selector, twice).await;
    }

    /// Types at the end of what is in a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.with(selector, async |element| element.send_keys(text).await).await;
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        self.driver().action_chain().send_keys(keys).perform().await.expect("keys");
    }

    /// The text that is shown of the first element.
    pub async fn text(&self, selector: &str) -> String {
        self.with(selector, async |element| element.text().await).await
    }

    /// The value of an expression in the page.
    pub async fn value(&self, expression: &str) -> Value {
        let returned = self.driver().execute(format!("return {expression}"), Vec::new()).await;
        returned.unwrap_or_else(|error| panic!("{expression}: {error}")).json().clone()
    }

    /// Runs statements in the page.
    pub async fn run(&self, statements: &str) {
        self.driver().execute(statements, Vec::new()).await.expect(statements);
    }

    /// Waits until an expression is true. A page that is just being replaced counts as false.
    pub async fn until(&self, expression: &str) {
        let is_true = async || {
            let returned = self.driver().execute(format!("return {expression}"), Vec::new()).await;
            returned.is_ok_and(|value| *value.json() == Value::Bool(true))
        };
        if !happens(is_true).await {
            let shown = self.value("document.body.innerText").await;
            panic!("waited in vain until {expression} at {} of {shown}", self.path().await);
        }
    }

    /// What the browser logged since the last call: errors of scripts, violations of the policy, failed requests.
    pub async fn log(&self) -> Vec<String> {
        let log = self.driver().browser_log().await.expect("a log");
        log.into_iter().map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }

    /// The width of the window, in CSS pixels, as of a phone or a desk.
    pub async fn set_width(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
    }

    pub async fn set_scheme(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", &features).await;
    }

    /// Calls a method of the browser's own protocol.
    pub async fn devtools(&self, method: &str, parameters: &Value) -> Value {
        let session = self.driver().handle().session_id().to_string();
        let url = format!("http://{}/session/{session}/goog/cdp/execute", self.address);
        let body = json!({ "cmd": method, "params": parameters }).to_string();
        let answer = self.client.post(url).header("Content-Type", "application/json").body(body).send().await;
        let text = answer.expect(method).text().await.expect(method);
        let mut answer: Value = serde_json::from_str(&text).expect(method);
        assert!(answer["value"]["error"].is_null(), "{method}: {text}");
        answer["value"].take()
    }

    /// Makes the timers of pages opened from now on five times as fast, and counts in `turns` how often one went off.
    pub async fn hurry(&self) {
        let source = "window.turns = 0;
            const slow = setTimeout;
            window.setTimeout = (act, wait) => slow(() => { window.turns += 1; act(); }, wait / 5);";
        self.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": source })).await;
    }

    fn shut_down(&mut self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        stream.read_to_end(&mut Vec::new())?;
        self.chromedriver.wait().map(drop)
    }
}

impl Drop for Browser {
    /// Also after a failed test: chromedriver closes the browser.
    fn drop(&mut self) {
        // The session ends with chromedriver.
        let _already_quit = self.driver.take().map(WebDriver::leak);
        if self.shut_down().is_err() {
            drop(self.chromedriver.kill());
        }
        drop(fs::remove_dir_all(&self.profile));
    }
}

/// Whether a check succeeds, repeated until it does or patience ends.
pub async fn happens(check: impl AsyncFn() -> bool) -> bool {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(20));
        while !check().await {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, asking).await.is_ok()
}

/// The program of this name on the path.
fn found(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A driver, what it prints, and where it listens.
type Running = (Child, BufReader<ChildStdout>, String);

/// Several attempts: a driver ends when the port that it has just found is taken by somebody else.
fn run(chromedriver: &Path) -> Running {
    (0..5).find_map(|_| try_to_run(chromedriver)).expect("chromedriver runs")
}

/// None: it ended by itself.
fn try_to_run(chromedriver: &Path) -> Option<Running> {
    let mut command = Command::new(chromedriver);
    command.arg("--port=0").env("TZ", ZONE).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("chromedriver starts");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("started successfully on port ") {
        line.clear();
        if output.read_line(&mut line).expect("a line") == 0 {
            child.wait().expect("its end");
            return None;
        }
    }
    let port = line.trim().trim_end_matches('.').rsplit(' ').next().expect("a port");
    let address = format!("127.0.0.1:{port}");
    Some((child, output, address))
}

fn capabilities(chromium: &Path, profile: &Path, scripts: Scripts) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(&chromium.to_string_lossy())?;
    for argument in ARGUMENTS {
        capabilities.add_arg(argument)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    if scripts == Scripts::Off {
        let off = json!({ "profile.managed_default_content_settings.javascript": 2 });
        capabilities.add_experimental_option("prefs", off)?;
    }
    Ok(capabilities)
}
