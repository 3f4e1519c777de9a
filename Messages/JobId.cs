namespace Vivarium.Messages;

/// <summary>Names one job across the cluster. Made by whoever submits, so a submission can be repeated safely.</summary>
public readonly record struct JobId(Guid Value)
{
    // Written out: the record's own would have the run-time make a comparer of Guid at every start.
    public bool Equals(JobId other) => Value == other.Value;

    public override int GetHashCode() => Value.GetHashCode();

    public override string ToString() => Value.ToString("N");
}
