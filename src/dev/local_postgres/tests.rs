//! A real server each time, and what is left of it afterwards.

use std::io::{BufRead, BufReader};
use std::process::Command;

use super::*;

/// Set for the process that is to be killed.
const OWNER: &str = "CLAWBACK_TEST_OWNS_A_SERVER";

async fn until_gone(folder: &Path) {
    let mut ticks = interval(Duration::from_millis(20));
    let gone = async {
        while folder.exists() {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.expect("the server should remove its folder");
}

/// By a shell, because a file that this process has open for writing cannot be run by any of its
/// children, and other tests start children at the same time.
fn write_broken_programs(folder: &Path) {
    let script = r#"for name in initdb postgres; do
        printf '#!/bin/sh\necho out of luck >&2; exit 1\n' >"$0/$name"
        chmod 755 "$0/$name"
    done"#;
    let status = Command::new("sh").args(["-c", script]).arg(folder).status().unwrap();
    assert!(status.success());
}

fn assert_closed(port: u16) {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("nobody should listen any more");
}

#[tokio::test]
async fn starts_answers_and_leaves_nothing_behind() {
    let options = Options::from_env(Durability::FsyncOff);
    let server = LocalPostgres::start(&options).await.unwrap();
    let (folder, port) = (server.home.path().to_path_buf(), server.port);
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let settings: (i32, String, String) =
        sqlx::query_as("select 1, current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(settings, (1, "off".to_owned(), "on".to_owned()));
    let log = fs::read_to_string(server.log_file()).unwrap();
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains("FATAL"), "nobody should be turned away at the start: {log}");

    // The connection is still open: stopping does not wait for it.
    server.stop().await.unwrap();
    assert!(!folder.exists());
    assert_closed(port);
}

#[tokio::test]
async fn asks_for_the_password() {
    let options = Options::from_env(Durability::Durable);
    let server = LocalPostgres::start(&options).await.unwrap();
    let url = server.url("postgres").replace(&server.password, "guessed");
    let refusal = PgConnection::connect(&url).await.unwrap_err();
    assert!(refusal.to_string().contains("password authentication failed"), "{refusal}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn ends_when_it_is_dropped() {
    let options = Options::from_env(Durability::FsyncOff);
    let server = LocalPostgres::start(&options).await.unwrap();
    let (folder, port) = (server.home.path().to_path_buf(), server.port);
    drop(server);
    until_gone(&folder).await;
    assert_closed(port);
}

/// Runs itself once more, in a process that starts a server and is then killed with SIGKILL.
#[tokio::test]
async fn ends_when_its_owner_is_killed() {
    if std::env::var_os(OWNER).is_some() {
        let options = Options::from_env(Durability::FsyncOff);
        let server = LocalPostgres::start(&options).await.unwrap();
        println!("\nowner of {} {}", server.port, server.home.path().display());
        return std::future::pending().await;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--exact"])
        .arg("dev::local_postgres::tests::ends_when_its_owner_is_killed")
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .find_map(|line| Some(line.unwrap().strip_prefix("owner of ")?.to_owned()))
        .expect("the owner should say where its server is");
    let (port, folder) = line.split_once(' ').unwrap();
    assert!(Path::new(folder).exists());

    owner.kill().unwrap();
    owner.wait().unwrap();
    until_gone(Path::new(folder)).await;
    assert_closed(port.parse().unwrap());
}

#[tokio::test]
async fn missing_binaries_name_the_command_that_mends_it() {
    let mut options = Options::from_env(Durability::FsyncOff);
    options.pg_bin = Some(options.temp_dir.join("clawback-no-such-folder"));
    let Err(error) = LocalPostgres::start(&options).await else {
        panic!("there is nothing to start");
    };
    let message = error.to_string();
    for mends in ["make setup", "apt-get install postgresql", "PG_BIN=/"] {
        assert!(message.contains(mends), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_ends_early_says_why_and_leaves_nothing_behind() {
    let mut options = Options::from_env(Durability::FsyncOff);
    options.temp_dir = options.temp_dir.join(format!("clawback-{}", Uuid::new_v4().simple()));
    let programs = options.temp_dir.join("bin");
    fs::create_dir_all(&programs).unwrap();
    write_broken_programs(&programs);
    options.pg_bin = Some(programs.clone());
    let Err(error) = LocalPostgres::start(&options).await else {
        panic!("there is nothing to start");
    };
    assert!(error.to_string().ends_with("out of luck"), "{error}");
    fs::remove_dir_all(&programs).unwrap();
    fs::remove_dir(&options.temp_dir).expect("only the programs should be in there");
}

/// A machine that goes down leaves the server's files as they were; a crash while the database was made, half of it.
#[tokio::test]
async fn a_kept_folder_starts_again_after_a_crash() {
    let options = Options::from_env(Durability::FsyncOff);
    let path = options.temp_dir.join(format!("clawback-{}", Uuid::new_v4().simple()));
    let server = LocalPostgres::start_in(Some(Folder::open(&path).unwrap()), &options).await.unwrap();
    let password = server.password.clone();
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql("create table kept (id integer)").execute(&mut connection).await.unwrap();
    let pid_file = fs::read_to_string(path.join("data/postmaster.pid")).unwrap();
    server.stop().await.unwrap();
    fs::write(path.join("data/postmaster.pid"), pid_file).unwrap();
    fs::create_dir(path.join("new")).unwrap();

    let server = LocalPostgres::start_in(Some(Folder::open(&path).unwrap()), &options).await.unwrap();
    assert_eq!(server.password, password);
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql("select id from kept").execute(&mut connection).await.unwrap();
    assert!(matches!(Folder::open(&path), Err(FolderError::InUse(_))));
    server.stop().await.unwrap();
    fs::remove_dir_all(&path).unwrap();
}
