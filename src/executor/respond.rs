//! One response to a dispute: staged at Stripe, submitted once, or the dispute accepted.
//!
//! Before anything final is sent, the dispute is read: a submission of ours is recognised by its metadata, one made elsewhere
//! by the submission count. So a call that is made again after a crash submits nothing twice, and may use a key of its own
//! each time: a stored 500 would be replayed until the deadline has passed.

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use super::outcome::{Errand, Outcome, Responded, Shown, Step};
use super::standing::{Seen, Standing};
use super::{Executor, Lease};
use crate::store::responses::{self, Ended, EvidenceFile, MARKER, Response};
use crate::stripe_api::{self, Answer, Calls, DisputeUpdate, Error, IdempotencyKey, Submit};

/// Evidence for Visa's programme, which a mistake in any of its parts voids: staged in a call of its own first.
const COMPELLING: &str = "enhanced_evidence.visa_compelling_evidence_3.";

impl Executor {
    /// Makes the call, unless the response has changed since it was enqueued.
    pub(super) async fn respond(&self, pool: &PgPool, lease: &Lease, errand: Errand) -> sqlx::Result<Outcome> {
        let Some((dispute_id, phase)) = lease.call.subject.rsplit_once('/') else { return Ok(Outcome::Over) };
        let mut conn = pool.acquire().await?;
        let response = responses::load(&mut conn, dispute_id, phase).await?;
        let files = responses::files(&mut conn, dispute_id, phase).await?;
        drop(conn);
        let Some(response) = response.filter(|response| is_current(response, errand, &lease.call.round)) else {
            return Ok(Outcome::Over);
        };
        let calls = match self.client.calls(&lease.scope(), lease.limit()) {
            Ok(calls) => calls,
            Err(error) => return Ok(Outcome::Failed { error, step: Step::Repeatable }),
        };
        let errand = Work { pool, lease, calls, response, files, errand };
        match errand.errand {
            Errand::Stage => errand.stage().await,
            Errand::Submit => errand.submit().await,
            Errand::Accept => Ok(errand.accept().await),
            Errand::Intend => Ok(errand.intend().await),
        }
    }
}

/// Whether a call still is about the response as it is.
fn is_current(response: &Response, errand: Errand, round: &str) -> bool {
    match errand {
        Errand::Stage => {
            let version = round.rsplit('/').next().unwrap_or_default();
            response.state == "draft" && version == response.version.to_string()
        }
        Errand::Submit => response.state == "submit_requested" && round == response.attempt.to_string(),
        Errand::Accept => response.state == "accept_requested" && round == response.attempt.to_string(),
        Errand::Intend => true,
    }
}

/// One errand with all that it needs.
struct Work<'a> {
    pool: &'a PgPool,
    lease: &'a Lease,
    calls: Calls,
    response: Response,
    files: Vec<EvidenceFile>,
    errand: Errand,
}

impl Work<'_> {
    /// Stages what was drafted. The compelling evidence goes first and alone: a mistake in it would fail the rest.
    async fn stage(mut self) -> sqlx::Result<Outcome> {
        let only_compelling = self.lease.call.round.starts_with("ce3/");
        if !only_compelling && let Some(failed) = self.upload().await? {
            return Ok(failed);
        }
        if let Err(error) = self.clear_enhanced().await {
            return Ok(self.failed(error, Step::Repeatable));
        }
        let (compelling, others): (Vec<_>, Vec<_>) =
            self.evidence().into_iter().partition(|(field, _)| field.starts_with(COMPELLING));
        let mut answer = None;
        for part in [compelling, if only_compelling { Vec::new() } else { others }] {
            if !part.is_empty() {
                match self.send(&part).await? {
                    Ok(shown) => answer = Some(shown),
                    Err(error) => return Ok(self.failed(error, Step::Repeatable)),
                }
            }
        }
        let held = self.evidence().into_iter().filter(|(_, value)| !value.is_empty());
        let fields = held.map(|(field, _)| field).collect();
        let end = Responded::Staged { fields, all: !only_compelling };
        Ok(answer.map_or(Outcome::Over, |shown| self.responded(end, Some(shown))))
    }

    async fn submit(mut self) -> sqlx::Result<Outcome> {
        let marker = self.marker();
        if let Some(over) = self.look(|seen, response| seen.of_submission(response, marker.as_str())).await {
            return Ok(over);
        }
        if let Some(failed) = self.upload().await? {
            return Ok(failed);
        }
        if let Err(error) = self.clear_enhanced().await {
            return Ok(self.failed(error, Step::Repeatable));
        }
        match self.update(&self.evidence(), Submit::Now).await {
            Ok(shown) => Ok(self.responded(Responded::Ended(Ended::Submitted), Some(shown))),
            Err(error) => {
                Ok(self.unless_done(error, |seen, response| seen.of_submission(response, marker.as_str())).await)
            }
        }
    }

    async fn accept(self) -> Outcome {
        let was_sent = self.lease.call.attempts > 1;
        if let Some(over) = self.look(|seen, response| seen.of_acceptance(response, was_sent)).await {
            return over;
        }
        match self.calls.close_dispute(&self.response.dispute_id, &self.key("accept")).await {
            Ok(answer) => self.responded(Responded::Ended(Ended::Accepted), Some(Shown::from(answer))),
            Err(error) => self.unless_done(error, |seen, response| seen.of_acceptance(response, true)).await,
        }
    }

    /// Sends who is to respond as it is wanted by now: an older call may come after a newer one.
    async fn intend(self) -> Outcome {
        let former = self.response.former_method.as_deref();
        let update = DisputeUpdate {
            intended_submission_method: if self.response.is_manual { Some("manual") } else { former },
            ..DisputeUpdate::staging(&[])
        };
        match self.calls.update_dispute(&self.response.dispute_id, &update, &self.key("intend")).await {
            Ok(answer) => self.responded(Responded::Intended, Some(Shown::from(answer))),
            Err(error) => self.failed(error, Step::Repeatable),
        }
    }

    /// Reads the dispute. None: it awaits what is to be sent; else there is nothing to send.
    async fn look(&self, standing: impl Fn(&Seen, &Response) -> Standing) -> Option<Outcome> {
        let step = if self.lease.call.attempts > 1 { Step::LookUpInDoubt } else { Step::LookUp };
        let (shown, seen) = match self.read().await {
            Ok(read) => read,
            Err(error) => return Some(self.failed(error, step)),
        };
        let done = match self.errand {
            Errand::Accept => Ended::Accepted,
            Errand::Stage | Errand::Submit | Errand::Intend => Ended::Submitted,
        };
        let end = match standing(&seen, &self.response) {
            Standing::Awaited => return None,
            Standing::Done => Responded::Ended(done),
            Standing::Elsewhere => Responded::Ended(Ended::SubmittedElsewhere),
            Standing::Over => {
                Responded::Over { reason: format!("not sent: the status of the dispute is {}", seen.status) }
            }
        };
        Some(self.responded(end, Some(shown)))
    }

    /// A refusal may be of a second request while the first was carried out.
    async fn unless_done(&self, error: Error, standing: impl Fn(&Seen, &Response) -> Standing) -> Outcome {
        match error {
            Error::Refused(_) | Error::NotFound(_) => match self.look(standing).await {
                Some(outcome @ Outcome::Responded { .. }) => outcome,
                Some(_) if self.lease.call.attempts > 1 => self.failed(error, Step::LookUpInDoubt),
                Some(_) | None => self.failed(error, Step::Create),
            },
            error => self.failed(error, Step::Create),
        }
    }

    /// Unsets all enhanced evidence at Stripe where a part of what it was sent is there no more.
    async fn clear_enhanced(&self) -> Result<(), Error> {
        let Response { fields, staged_fields, .. } = &self.response;
        if !responses::clears_enhanced(fields, staged_fields) {
            return Ok(());
        }
        let (field, value) = responses::UNSET_ENHANCED;
        self.update(&[(field.to_owned(), value.to_owned())], Submit::Later).await.map(drop)
    }

    async fn read(&self) -> Result<(Shown, Seen), Error> {
        let answer = self.calls.retrieve_dispute(&self.response.dispute_id).await?;
        let seen = serde_json::from_str(answer.json()).map_err(|_| Error::Malformed {
            call: format!("GET /v1/disputes/{}", self.response.dispute_id),
            problem: "the answer is not a dispute",
        })?;
        Ok((Shown::from(answer), seen))
    }

    /// Stages fields at Stripe. Recorded before they are sent: what may be there must be unset once it is removed here.
    async fn send(&self, part: &[(String, String)]) -> sqlx::Result<Result<Shown, Error>> {
        let fields: Vec<&str> =
            part.iter().filter(|(_, value)| !value.is_empty()).map(|(field, _)| field.as_str()).collect();
        responses::will_stage(&mut *self.pool.acquire().await?, &self.response, &fields).await?;
        Ok(self.update(part, Submit::Later).await)
    }

    async fn update(&self, evidence: &[(String, String)], submit: Submit) -> Result<Shown, Error> {
        let evidence: Vec<_> = evidence.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        let marker = self.marker();
        let update = DisputeUpdate {
            evidence: &evidence,
            metadata: if submit == Submit::Now { &[(MARKER, marker.as_str())] } else { &[] },
            intended_submission_method: self.leaves_it_to_stripe().map(|_| "manual"),
            submit,
        };
        let what = evidence.first().map_or("", |(field, _)| field);
        let key = self.key(&format!("{:?}/{what}", self.errand));
        self.calls.update_dispute(&self.response.dispute_id, &update, &key).await.map(Shown::from)
    }

    /// How Stripe would respond by itself, where it would and should not: once the former method is restored, only what is
    /// submitted changes it.
    fn leaves_it_to_stripe(&self) -> Option<&str> {
        let Response { former_method, is_manual, intended_method, .. } = &self.response;
        let is_restored = former_method.is_some() && !is_manual;
        let intended = intended_method.as_deref().filter(|method| *method != "manual");
        if is_restored && self.errand == Errand::Stage { None } else { intended }
    }

    /// Uploads the files that Stripe does not hold yet. None: all are there.
    async fn upload(&mut self) -> sqlx::Result<Option<Outcome>> {
        for at in 0..self.files.len() {
            let file = &self.files[at];
            if file.file_id.is_some() {
                continue;
            }
            let Some(content) = responses::content(&mut *self.pool.acquire().await?, file.id).await? else {
                let reason = format!("not sent: the content of the file for {} is gone", file.field);
                return Ok(Some(self.responded(Responded::Over { reason }, None)));
            };
            let (name, media_type) = (file.name.as_str(), file.content_type.as_str());
            let upload = stripe_api::EvidenceFile { name, media_type, content: content.into() };
            let key = self.key(&file.id.to_string());
            match self.calls.upload_evidence(&upload, &key).await.and_then(|answer| file_id(&answer)) {
                Ok(id) => {
                    responses::uploaded(&mut *self.pool.acquire().await?, file.id, &id).await?;
                    self.files[at].file_id = Some(id);
                }
                Err(error) => return Ok(Some(self.failed(error, Step::Repeatable))),
            }
        }
        Ok(None)
    }

    /// All fields as they are sent.
    fn evidence(&self) -> Vec<(String, String)> {
        let files = self.files.iter().filter_map(|file| Some((file.field.clone(), file.file_id.clone()?)));
        responses::to_send(&self.response.fields, files, &self.response.staged_fields)
    }

    /// A key of this try: the same request after a stored 500 must not be answered with it.
    fn key(&self, what: &str) -> IdempotencyKey {
        self.named(&format!("{what}\x1f{}", self.lease.call.attempts))
    }

    /// What a submission is recognised by: one for all tries, and the same after a restore.
    fn marker(&self) -> IdempotencyKey {
        self.named("marker")
    }

    fn named(&self, what: &str) -> IdempotencyKey {
        let Response { dispute_id, phase, attempt, version, .. } = &self.response;
        let text = format!("clawback {what}\x1f{dispute_id}\x1f{phase}\x1f{attempt}\x1f{version}");
        let hash: [u8; 32] = Sha256::digest(text).into();
        IdempotencyKey::from(Uuid::new_v8(std::array::from_fn(|at| hash[at])))
    }

    fn responded(&self, end: Responded, shown: Option<Shown>) -> Outcome {
        let made_manual = match self.errand {
            Errand::Stage | Errand::Submit => self.leaves_it_to_stripe().map(str::to_owned),
            Errand::Accept | Errand::Intend => None,
        };
        Outcome::Responded { response: self.response.clone(), end, shown, made_manual }
    }

    fn failed(&self, error: Error, step: Step) -> Outcome {
        Outcome::NotResponded { response: self.response.clone(), errand: self.errand, error, step }
    }
}

fn file_id(answer: &Answer) -> Result<String, Error> {
    #[derive(serde::Deserialize)]
    struct File {
        id: String,
    }
    let file: File = serde_json::from_str(answer.json())
        .map_err(|_| Error::Malformed { call: "POST /v1/files".to_owned(), problem: "the answer is not a file" })?;
    Ok(file.id)
}
