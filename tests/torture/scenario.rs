//! The scenarios: what is done to the service in each, for how long at a time, and what a trial of it needs.

use std::path::Path;
use std::time::Duration;

use strum::{EnumIter, IntoStaticStr};

use crate::faults::disk::{Disk, disk};
use crate::faults::restore::Service;
use crate::faults::{clients, database, disk as full_disk, network, processes, restore};
use crate::server::Server;
use crate::trial::{Setup, Trial};

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Scenario {
    /// A replica is killed every half second, in turn.
    Kills,
    /// Postgres crashes every two seconds, and once as a whole.
    Crashes,
    FrozenReplica,
    FrozenPostgres,
    /// Connections to Postgres are cut twice a second.
    Cuts,
    /// Postgres takes no connections.
    Refusals,
    /// Each piece of data takes 150 ms longer.
    Delays,
    /// Nothing arrives from Postgres or at it.
    Silence,
    /// Statements are done, and no reply arrives.
    LostReplies,
    /// Connections are open to the service, and gone for Postgres.
    HalfOpen,
    FullDisk,
    /// The service may not insert events.
    RevokedRight,
    /// The table of events is locked.
    TableLock,
    /// All payments and follow-ups are locked.
    RowLocks,
    ReadOnly,
    OutOfConnections,
    /// The clock of a replica jumps by minutes and hours.
    ClockJumps,
    /// 3,000 idle and slow connections.
    SlowCrowd,
    /// Two thousand forged requests a second.
    ForgedFlood,
    /// Stripe answers 503.
    StripeAway,
    /// The database is restored from a backup that lacks the latest events.
    Restores,
    /// The same while the replicas run.
    RestoresBeside,
}

/// What a trial was set up with, kept until it is over.
#[derive(Default)]
pub struct Stage {
    pub setup: Setup,
    pub disk: Option<Disk>,
}

impl Scenario {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// How long one fault lasts when there is time for it.
    pub fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::TableLock => 60,
            Self::Silence | Self::LostReplies | Self::HalfOpen => 25,
            Self::FrozenReplica | Self::FrozenPostgres | Self::Restores | Self::RestoresBeside => 12,
            Self::Kills
            | Self::Crashes
            | Self::Cuts
            | Self::Refusals
            | Self::Delays
            | Self::FullDisk
            | Self::RevokedRight
            | Self::RowLocks
            | Self::ReadOnly
            | Self::OutOfConnections
            | Self::ClockJumps
            | Self::SlowCrowd
            | Self::ForgedFlood
            | Self::StripeAway => 20,
        })
    }

    /// Whether both replicas are stopped or killed anyway.
    pub fn stops_replicas(self) -> bool {
        matches!(self, Self::Kills | Self::Restores | Self::RestoresBeside)
    }

    /// Prepares a trial.
    ///
    /// # Errors
    /// With what this machine lacks for it.
    pub fn stage(self, server: &Server, folder: &Path) -> Result<Stage, &'static str> {
        match self {
            Self::FullDisk => {
                let disk = Disk::mount(&disk(folder), &server.own_file()).ok_or("no file system can be mounted")?;
                let setup = Setup { tablespace: Some(disk.0.clone()), ..Setup::default() };
                Ok(Stage { setup, disk: Some(disk) })
            }
            Self::ClockJumps => {
                let library = library().ok_or("libfaketime is not installed")?;
                let clock = processes::clock(folder);
                std::fs::write(&clock, "+0").expect("a file");
                let of_first = vec![
                    ("LD_PRELOAD", library.to_owned()),
                    ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
                    ("FAKETIME_CACHE_DURATION", "1".to_owned()),
                    ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
                ];
                Ok(Stage { setup: Setup { of_first, first_may_refuse: true, ..Setup::default() }, disk: None })
            }
            _ => Ok(Stage::default()),
        }
    }

    /// Does it for about so long, and undoes it.
    pub async fn inflict(self, trial: &Trial, time: Duration) {
        match self {
            Self::Kills => processes::kill(trial, time).await,
            Self::Crashes => processes::crash_postgres(trial, time).await,
            Self::FrozenReplica => processes::freeze_replica(trial, time).await,
            Self::FrozenPostgres => processes::freeze_postgres(trial, time).await,
            Self::Cuts => network::cut(trial, time).await,
            Self::Refusals => network::refuse(trial, time).await,
            Self::Delays => network::delay(trial, time).await,
            Self::Silence => network::silence(trial, time).await,
            Self::LostReplies => network::mute(trial, time).await,
            Self::HalfOpen => network::strand(trial, time).await,
            Self::FullDisk => full_disk::fill(trial, time).await,
            Self::RevokedRight => database::revoke(trial, time).await,
            Self::TableLock => database::lock_table(trial, time).await,
            Self::RowLocks => database::lock_rows(trial, time).await,
            Self::ReadOnly => database::make_read_only(trial, time).await,
            Self::OutOfConnections => database::take_connections(trial, time).await,
            Self::ClockJumps => processes::jump_clock(trial, time).await,
            Self::SlowCrowd => clients::crowd(trial, time).await,
            Self::ForgedFlood => clients::flood(trial, time).await,
            Self::StripeAway => database::lose_stripe(trial, time).await,
            Self::Restores => restore::restore(trial, time, Service::Stopped).await,
            Self::RestoresBeside => restore::restore(trial, time, Service::Running).await,
        }
    }
}

/// Where Debian installs the library that gives a process another time.
fn library() -> Option<&'static str> {
    let usual = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ];
    usual.into_iter().find(|library| Path::new(library).exists())
}
