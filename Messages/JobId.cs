namespace Vivarium.Messages;

/// <summary>Names one job across the cluster. Made by whoever submits, so a submission can be repeated safely.</summary>
public readonly record struct JobId(Guid Value)
{
    public override string ToString() => Value.ToString("N");
}
