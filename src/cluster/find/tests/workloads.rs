use super::*;

fn pods(name: &str, digest: &str, next: &str) -> Value {
    let pod = json!({ "metadata": { "name": name, "namespace": "default" },
        "spec": { "containers": [{ "image": format!("r/web@sha256:{}", digest.repeat(64)) }] } });
    json!({ "metadata": { "continue": next }, "items": [pod] })
}

async fn in_use_with(answers: Answers) -> Result<crate::port::InUse, ClusterError> {
    let api = Fake::start(answers).await;
    let file = File::new("kind-localdev").of("kind-localdev", &api);
    let cluster = find(&query(&file)).await?;
    crate::cluster::workloads(&query(&file), &cluster).await
}

#[tokio::test]
async fn workloads_are_read_page_by_page_and_what_may_not_be_listed_is_named() {
    let denied = "deployments.apps is forbidden: User \"dev\" cannot list resource";
    let answers = Answers::cluster(&customization())
        .object(PODS, &pods("one", "a", "to=ken"))
        .object(&format!("{PODS}&continue=to%3Dken"), &pods("two", "b", ""))
        .refusal(DEPLOYMENTS, 403, denied);
    let in_use = in_use_with(answers).await.unwrap();
    let mut users: Vec<&String> = in_use.digests.values().collect();
    users.sort();
    assert_eq!(users, ["pod default/one", "pod default/two"]);
    assert_eq!(in_use.unseen, ["deployments"]);
}

#[tokio::test]
async fn workloads_that_cannot_be_read_are_an_error() {
    for (code, body) in [(500, "no"), (410, "the token has expired")] {
        let answers = Answers::cluster(&customization()).refusal(PODS, code, body);
        assert!(matches!(in_use_with(answers).await, Err(ClusterError::Api { .. })), "{code}");
    }
    let odd = Answers::cluster(&customization()).object(PODS, &json!({ "items": "none" }));
    assert!(matches!(in_use_with(odd).await, Err(ClusterError::Api { .. })));
    let endless = pods("one", "a", "again");
    let same = format!("{PODS}&continue=again");
    let endless = Answers::cluster(&customization()).object(PODS, &endless).object(&same, &endless);
    assert!(matches!(in_use_with(endless).await, Err(ClusterError::Api { .. })));
}
