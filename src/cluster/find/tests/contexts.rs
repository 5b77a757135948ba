use super::*;

#[tokio::test]
async fn a_context_that_does_not_answer_is_named() {
    for server in [Dead::start().server, fake::refused_port().await] {
        let file = File::new("kind-localdev").context("kind-localdev", &server);
        let query = Query { timeout: Duration::from_millis(300), ..query(&file) };
        let Err(ClusterError::Unreachable { context, server: named, .. }) = find(&query).await else {
            panic!()
        };
        assert_eq!((context.as_str(), named), ("kind-localdev", server));
    }
}

#[tokio::test]
async fn a_dead_context_is_passed_over_and_noted() {
    let (dead, api) = (Dead::start(), Fake::start(Answers::cluster(&customization())).await);
    let file = File::new("kind-dead").context("kind-dead", &dead.server).of("kind-localdev", &api);
    let cluster = find(&Query { timeout: Duration::from_secs(1), ..query(&file) }).await.unwrap();
    assert_eq!(cluster.context, "kind-localdev");
    assert!(cluster.notes[0].text.contains("\"kind-dead\" does not answer"), "{:?}", cluster.notes);
}

#[tokio::test]
async fn a_context_elsewhere_is_never_contacted_unasked() {
    let api = Fake::start(Answers::cluster(&customization())).await;
    let file = File::new("prod").context("prod", "https://k8s.example").of("mine", &api);
    let cluster = find(&query(&file)).await.unwrap();
    assert_eq!(cluster.context, "mine");
    assert!(!cluster.notes.iter().any(|note| note.text.contains("prod")), "{:?}", cluster.notes);
}

#[tokio::test]
async fn two_clusters_besides_the_current_context_are_a_question() {
    let answers = Answers::cluster(&customization());
    let (a, b) = (Fake::start(answers.clone()).await, Fake::start(answers).await);
    let file = File::new("prod").of("kind-a", &a).of("kind-b", &b);
    let Err(ClusterError::Several { contexts }) = find(&query(&file)).await else { panic!() };
    assert_eq!(contexts, ["kind-a", "kind-b"]);
    let named = Query { context: Some("kind-b".into()), ..query(&file) };
    assert_eq!(find(&named).await.unwrap().context, "kind-b");
}

#[tokio::test]
async fn a_name_is_that_of_the_context_and_of_the_localbuild() {
    let localbuild =
        json!({ "metadata": { "name": "dev2" }, "spec": { "buildCustomization": customization() } });
    let answers = Answers::cluster(&customization())
        .object(&format!("{LOCALBUILDS}/dev2"), &localbuild)
        .without(LOCALBUILDS);
    let api = Fake::start(answers).await;
    let file = File::new("x").of("kind-dev2", &api);
    assert_eq!(find(&Query { name: Some("dev2".into()), ..query(&file) }).await.unwrap().name, "dev2");
}

#[tokio::test]
async fn of_several_localbuilds_the_one_called_like_the_context_is_taken() {
    let item = |name: &str| json!({ "metadata": { "name": name }, "spec": { "buildCustomization": customization() } });
    let items = json!({ "items": [item("other"), item("localdev")] });
    let answers = Answers::cluster(&customization()).object(LOCALBUILDS, &items);
    assert_eq!(found_with(answers.clone()).await.unwrap().name, "localdev");
    let api = Fake::start(answers).await;
    let Err(ClusterError::SeveralLocalbuilds { names, .. }) =
        find(&query(&File::new("x").of("x", &api))).await
    else {
        panic!()
    };
    assert_eq!(names, ["other", "localdev"]);
}
