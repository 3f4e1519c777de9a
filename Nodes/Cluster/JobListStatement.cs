using System.Text;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Cluster;

/// <summary>The statement that answers a <see cref="JobQuery"/>, in the words of either database.</summary>
internal sealed class JobListStatement
{
    private readonly List<object?> _parameters = [];
    private readonly Func<int, string> _place;

    /// <param name="place">How the database names its parameter of this index, the first being 0.</param>
    /// <param name="labelledJobs">What to read from when labels are asked for: their table as l, in whose order it comes, and the jobs as j.</param>
    /// <param name="state">The state's column as the database best compares it with a list.</param>
    /// <param name="find">How the database finds bytes in others: both come in, a place from 1 or 0 comes out.</param>
    public JobListStatement(JobQuery query, Func<int, string> place, string labelledJobs, string state, Func<string, string, string> find)
    {
        _place = place;
        string[] labels = [.. (query.Labels ?? new Dictionary<string, string>()).Select(StoreRows.LabelOf)];
        string sequence = labels.Length > 0 ? "l.sequence" : "j.sequence";
        List<string> conditions = [];
        for (int i = 0; i < labels.Length; i++)
        {
            string label = Parameter(labels[i]);
            conditions.Add(i == 0 ? $"l.label = {label}" : $"EXISTS (SELECT 1 FROM job_labels o WHERE o.label = {label} AND o.sequence = j.sequence)");
        }
        if (query.States is { } states)
            conditions.Add($"{state} IN ({string.Join(',', states.Select(static state => (int)state))})");
        if (query.Node is { } node)
            conditions.Add($"j.node = {Parameter(node)}");
        if (query.Name is { } name)
            conditions.Add($"j.name = {Parameter(name)}");
        foreach (string word in query.Words ?? [])
            conditions.Add($"{find(Parameter(Encoding.UTF8.GetBytes(word)), "j.spec")} > 0");
        if (query.After is { } after)
            conditions.Add($"{sequence} {(query.NewestFirst ? '<' : '>')} {Parameter(after)}");
        var text = new StringBuilder($"SELECT {StoreRows.JobColumns} FROM {(labels.Length > 0 ? labelledJobs : "jobs j")}");
        if (conditions.Count > 0)
            text.Append(" WHERE ").AppendJoin(" AND ", conditions);
        // One more than the page holds tells whether there is another.
        text.Append($" ORDER BY {sequence}{(query.NewestFirst ? " DESC" : "")} LIMIT {query.Limit + 1}");
        Text = text.ToString();
    }

    public string Text { get; }

    public object?[] Parameters => [.. _parameters];

    private string Parameter(object value)
    {
        _parameters.Add(value);
        return _place(_parameters.Count - 1);
    }
}
