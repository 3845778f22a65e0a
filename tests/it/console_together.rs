//! Promise: what several people do to one draft at the same moment is all done, or its conflict is shown to them.

use reqwest::StatusCode;

use crate::console_client::hidden;
use crate::console_disputes::{Scene, by_boss};
use crate::evidence::PDF;

#[tokio::test(flavor = "multi_thread")]
async fn two_clicks_at_the_same_time_do_it_once() {
    let scene = Scene::open().await;
    let page = scene.evidence().await;
    let texts = [("uncategorized_text", "winning_evidence")];
    let (one, two) = tokio::join!(scene.save(&page, &texts), scene.save(&page, &texts));
    assert_eq!([one.location(), two.location()], [scene.did("saved"), scene.did("saved")]);
    let attach = || scene.attach("receipt", "", "receipt.pdf", PDF.as_bytes());
    let (one, two) = tokio::join!(attach(), attach());
    assert_eq!([one.location(), two.location()], [scene.did("attached"), scene.did("attached")]);
    scene.shop.app.db.until("select count(*) = 1 from clawback.evidence_files where pages = 1").await;
    let version = hidden(&scene.boss.page(&scene.at("/submit")).await, "version");
    let (form, path) = ([("version", version.as_str()), ("final", "yes")], scene.at("/submit"));
    let (one, two) = tokio::join!(scene.boss.post(&path, &form), scene.boss.post(&path, &form));
    assert_eq!((one.location(), two.location()), (scene.at("").as_str(), scene.at("").as_str()));
    let done = [by_boss("stage_evidence"), by_boss("attach_evidence_file"), by_boss("submit_evidence")];
    assert_eq!(scene.done().await, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_save_different_texts_in_the_same_moment_are_all_heard() {
    let scene = Scene::open().await;
    let page = scene.evidence().await;
    let save = |field: &'static str| {
        let (scene, page) = (&scene, &page);
        async move { scene.save(page, &[(field, "typed")]).await.location().to_owned() }
    };
    let fields = ["shipping_carrier", "shipping_date", "shipping_tracking_number"];
    let (one, two, three) = tokio::join!(save(fields[0]), save(fields[1]), save(fields[2]));
    assert_eq!([one, two, three], [scene.did("saved"), scene.did("saved"), scene.did("saved")]);
    for field in fields {
        assert_eq!(scene.text(field).await, "typed", "{field}");
    }
    let unchanged = scene.save(&scene.evidence().await, &[("shipping_carrier", "typed")]).await;
    assert_eq!(unchanged.location(), scene.did("unchanged"));
    let said = scene.boss.page(&scene.did("saved")).await;
    assert!(said.contains("The draft is saved.") && said.contains("Review and submit"), "{said}");
    assert!(!scene.boss.page(&scene.did("submitted")).await.contains("role=\"status\"><p>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_save_the_same_text_in_the_same_moment_see_both_and_overwrite_nothing_unseen() {
    let scene = Scene::open().await;
    let page = scene.evidence().await;
    let save = |text: &'static str| {
        let (scene, page) = (&scene, &page);
        async move { scene.save(page, &[("shipping_carrier", text)]).await }
    };
    let (one, two) = tokio::join!(save("DHL"), save("UPS"));
    let refused = if one.status == StatusCode::CONFLICT { one } else { two };
    assert_eq!(refused.status, StatusCode::CONFLICT);
    for text in ["DHL", "UPS", "Two texts for Carrier"] {
        assert!(refused.body.contains(text), "{text} is not in {}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_upload_at_the_same_time_is_told_why_it_waits() {
    let scene = Scene::open().await;
    let _slow = [scene.begin_upload().await, scene.begin_upload().await];
    let third = scene.attach("receipt", "", "receipt.pdf", PDF.as_bytes()).await;
    assert_eq!(third.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(third.body.contains("two other uploads are under way"), "{}", third.body);
}
