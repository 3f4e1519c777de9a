// A server and its clients in one process, over the loopback network.
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Logging.ClearProviders();
WebApplication app = builder.Build();
app.MapGet("/hello/{name}", (string name) => $"hello {name}");
app.MapPost("/sum", async (HttpRequest request) => { using var reader = new StreamReader(request.Body); return (await reader.ReadToEndAsync()).Split(',').Sum(int.Parse).ToString(); });
await app.StartAsync();
using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
Console.WriteLine(await client.GetStringAsync("/hello/world"));
HttpResponseMessage answer = await client.PostAsync("/sum", new StringContent(string.Join(',', Enumerable.Range(1, 1000))));
Console.WriteLine($"{answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
string[] all = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => client.GetStringAsync($"/hello/{i}")));
Console.WriteLine(string.Join(' ', all));
Console.WriteLine((await client.GetAsync("/missing")).StatusCode);
await app.StopAsync();
