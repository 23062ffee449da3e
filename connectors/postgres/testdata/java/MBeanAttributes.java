import io.debezium.pipeline.metrics.SnapshotChangeEventSourceMetricsMXBean;
import io.debezium.pipeline.metrics.StreamingChangeEventSourceMetricsMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.util.TreeSet;
import javax.management.MBeanAttributeInfo;
import javax.management.ObjectName;

/** Prints "context attribute" for each attribute that Debezium's MBeans have. */
public class MBeanAttributes {
    public static void main(String[] arguments) throws Exception {
        print("snapshot", SnapshotChangeEventSourceMetricsMXBean.class);
        print("streaming", StreamingChangeEventSourceMetricsMXBean.class);
    }

    private static void print(String context, Class<?> of) throws Exception {
        Object bean = Proxy.newProxyInstance(of.getClassLoader(), new Class<?>[] {of}, (self, method, given) -> null);
        ObjectName name = new ObjectName("debezium.postgres:type=connector-metrics,context=" + context);
        ManagementFactory.getPlatformMBeanServer().registerMBean(bean, name);
        TreeSet<String> attributes = new TreeSet<>();
        for (MBeanAttributeInfo attribute :
                ManagementFactory.getPlatformMBeanServer().getMBeanInfo(name).getAttributes()) {
            attributes.add(attribute.getName());
        }
        attributes.forEach(attribute -> System.out.println(context + " " + attribute));
    }
}
