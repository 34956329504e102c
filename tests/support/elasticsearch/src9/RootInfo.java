package node;

import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** GET / and HEAD / (client.info() and client.ping()): the server jar alone does not answer them. */
public class RootInfo extends Plugin implements ActionPlugin, RestHandler {
    private volatile ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(RestHandlersServices services,
            Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(this);
    }

    @Override
    public List<Route> routes() {
        return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
    }

    @Override
    public void handleRequest(RestRequest request, RestChannel channel, NodeClient client) throws Exception {
        Build build = Build.current();
        XContentBuilder out = channel.newBuilder();
        out.startObject();
        out.field("name", cluster.getNodeName());
        out.field("cluster_name", cluster.getClusterName().value());
        out.field("cluster_uuid", cluster.state().metadata().clusterUUID());
        out.startObject("version");
        out.field("number", build.qualifiedVersion());
        out.field("build_flavor", build.flavor());
        out.field("build_type", build.type().displayName());
        out.field("build_hash", build.hash());
        out.field("build_date", build.date());
        out.field("build_snapshot", build.isSnapshot());
        out.field("lucene_version", org.apache.lucene.util.Version.LATEST.toString());
        out.field("minimum_wire_compatibility_version", build.minWireCompatVersion());
        out.field("minimum_index_compatibility_version", build.minIndexCompatVersion());
        out.endObject();
        out.field("tagline", "You Know, for Search");
        out.endObject();
        channel.sendResponse(new RestResponse(RestStatus.OK, out));
    }
}
