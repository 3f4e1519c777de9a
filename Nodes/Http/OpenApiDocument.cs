using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>The OpenAPI 3.1 document, made from the routes and from the types that they read and write.</summary>
internal static class OpenApiDocument
{
    private static readonly Lazy<JsonElement> Made = new(static () => JsonSerializer.SerializeToElement(Make(), ApiJson.Default.JsonNode));

    public static JsonElement Element => Made.Value;

    private static JsonNode Make()
    {
        JsonObject paths = [], schemas = [];
        foreach ((string prefix, Route route) in ApiRoutes.All.Select(static route => (ApiRoutes.Prefix, route)).Concat(NodeRoutes.Probes.Select(static route => ("", route))))
        {
            string path = prefix + route.Pattern;
            if (paths[path] is not JsonObject operations)
                paths[path] = operations = [];
            operations[route.Method.ToLowerInvariant()] = Operation(route, schemas);
        }
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject { ["title"] = "Vivarium", ["version"] = HelpText.Version, ["description"] = "Runs programs in emulated processes on a cluster. Errors are application/problem+json (RFC 9457)." },
            ["security"] = new JsonArray(new JsonObject { ["token"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = schemas,
                ["securitySchemes"] = new JsonObject { ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
            },
        };
    }

    private static JsonObject Operation(Route route, JsonObject schemas)
    {
        var operation = new JsonObject
        {
            ["operationId"] = route.Name,
            ["summary"] = route.Summary,
            ["description"] = route.Access == Access.None ? "Needs no token." : $"Needs a token with the access \"{route.Access.ToString().ToLowerInvariant()}\".",
        };
        if (route.Access == Access.None)
            operation["security"] = new JsonArray();
        JsonArray parameters = [.. PathParameters(route.Pattern), .. route.Parameters.Select(Parameter)];
        if (parameters.Count > 0)
            operation["parameters"] = parameters;
        if (route.Body is { } body)
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Content("application/json", Reference(body, schemas)) };
        if (route.RawBody is { } media)
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Content(media, new JsonObject()) };
        operation["responses"] = Responses(route, schemas);
        return operation;
    }

    private static JsonObject Responses(Route route, JsonObject schemas)
    {
        var success = new JsonObject { ["description"] = route.Status == 204 ? "Done." : "As asked." };
        if (route.Answer is { } answer)
            success["content"] = Content("application/json", Reference(answer, schemas));
        else if (route.RawAnswer.Count > 0)
            success["content"] = new JsonObject(route.RawAnswer.Select(static media => KeyValuePair.Create<string, JsonNode?>(media, new JsonObject())));
        var responses = new JsonObject { [$"{route.Status}"] = success };
        JsonObject problem = Reference(typeof(Problem), schemas);
        foreach ((int status, string when) in route.Errors)
            responses[$"{status}"] = new JsonObject { ["description"] = when, ["content"] = Content("application/problem+json", problem.DeepClone()) };
        responses["default"] = new JsonObject
        {
            ["description"] = "400 names the field that is wrong, 401 and 403 are about the token, 413 and 429 about a limit, 503 means try again.",
            ["content"] = Content("application/problem+json", problem.DeepClone()),
        };
        return responses;
    }

    private static JsonObject Content(string media, JsonNode schema) => new() { [media] = new JsonObject { ["schema"] = schema } };

    private static IEnumerable<JsonNode> PathParameters(string pattern)
    {
        foreach (string part in pattern.Split('/'))
        {
            if (part is ['{', .. var name, '}'])
                yield return new JsonObject { ["name"] = name, ["in"] = "path", ["required"] = true, ["schema"] = new JsonObject { ["type"] = "string" } };
        }
    }

    private static JsonNode Parameter(RouteParameter parameter) => new JsonObject
    {
        ["name"] = parameter.Name,
        ["in"] = parameter.In,
        ["description"] = parameter.Description,
        ["schema"] = new JsonObject { ["type"] = parameter.Type },
    };

    private static JsonObject Reference(Type type, JsonObject schemas)
    {
        if (type == typeof(JsonElement))
            return new JsonObject { ["type"] = "object" };
        if (schemas[type.Name] is null)
            schemas[type.Name] = ApiJson.Default.Options.GetJsonSchemaAsNode(type, new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe });
        return new JsonObject { ["$ref"] = $"#/components/schemas/{type.Name}" };
    }

    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (context.TypeInfo.Type == typeof(ByteText) || context.TypeInfo.Type == typeof(ByteText?))
        {
            schema = new JsonObject
            {
                ["oneOf"] = new JsonArray(
                    new JsonObject { ["type"] = "string" },
                    new JsonObject { ["type"] = "object", ["properties"] = new JsonObject { ["base64"] = new JsonObject { ["type"] = "string" } }, ["required"] = new JsonArray("base64") }),
            };
        }
        if (schema is JsonObject described && context.PropertyInfo?.AttributeProvider?.GetCustomAttributes(typeof(DescriptionAttribute), false) is [DescriptionAttribute description, ..])
            described["description"] = description.Description;
        return schema;
    }
}
