use serde::Deserialize;

use crate::oci::Platform;

use super::api::Api;
use super::request::Request;
use super::{Note, Topic};

#[derive(Deserialize)]
struct NodeList {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    node_info: Option<NodeFacts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeFacts {
    operating_system: String,
    architecture: String,
}

/// The platforms of the nodes, without repeats. Empty where they cannot be listed, which `notes` then says.
pub(super) async fn platforms(api: &Api, notes: &mut Vec<Note>) -> Vec<Platform> {
    match api.get::<NodeList>(&Request::nodes()).await {
        Ok(list) => list.map(distinct).unwrap_or_default(),
        Err(error) => {
            let text = format!("{error}: whether an image fits the nodes is not checked");
            notes.push(Note::new(Topic::Nodes, text));
            Vec::new()
        }
    }
}

fn distinct(list: NodeList) -> Vec<Platform> {
    let mut platforms = Vec::new();
    for facts in list.items.into_iter().filter_map(|node| node.status.node_info) {
        let mut platform = Platform::default();
        platform.set_os(facts.operating_system.as_str().into());
        platform.set_architecture(facts.architecture.as_str().into());
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_platform_is_named_once() {
        let node = |architecture: &str| json!({ "status": { "nodeInfo": { "operatingSystem": "linux", "architecture": architecture } } });
        let items = [node("arm64"), node("amd64"), node("arm64"), json!({}), json!({ "status": {} })];
        let list = serde_json::from_value(json!({ "items": items })).unwrap();
        let platforms: Vec<_> = distinct(list)
            .iter()
            .map(|platform| format!("{}/{}", platform.os(), platform.architecture()))
            .collect();
        assert_eq!(platforms, ["linux/arm64", "linux/amd64"]);
    }
}
